"""`compare`: what it asks for, what it refuses, and how its result shows itself. No run is made here."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import fittingroom as fr
from fittingroom.api import compare as api
from fittingroom.api.compare import ComparisonResult, plan_comparison
from fittingroom.api.data import Data
from fittingroom.api.runs import configure
from fittingroom.api.table import Table
from fittingroom.comparison.executors import processes
from fittingroom.comparison.grid import Comparison, Watcher
from fittingroom.comparison.summary import summarise
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import Summary, Verdict, write_summary
from tests.comparison_fixture import write_images
from tests.image_fixture import write_npz

EVIL = '<script>alert("1")</script> & [bold]|'


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Comparison]:
    """The comparisons that were asked for, in place of making them."""
    found: list[Comparison] = []
    summary = Summary(task="classification", candidates=(), verdict=Verdict(headline="H.", sentence="S."))

    def remember(comparison: Comparison, watcher: Watcher) -> Summary:
        found.append(comparison)
        return summary

    monkeypatch.setattr(api, "run_comparison", remember)
    return found


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    folder = write_images(tmp_path_factory.mktemp("compare"), num_test=200, num_val=100)
    return summarise(folder)


# What is asked for


def test_the_defaults_are_those_of_the_preset(asked: list[Comparison]) -> None:
    result = fr.compare(progress=False)
    (comparison,) = asked
    assert [each.name for each in comparison.candidates] == ["vit", "cnn", "hybrid"]
    assert list(comparison.seeds) == [0, 1, 2] and comparison.budget.seconds == 70
    assert comparison.folder == result.folder == Path("runs/compare-70s") and str(result.verdict) == "H. S."
    fr.compare("cnn", preset="standard", progress=False)
    assert list(asked[1].seeds) == [0, 1, 2] and asked[1].budget.epochs == 5


def test_what_is_given_holds_for_every_candidate(asked: list[Comparison], tmp_path: Path) -> None:
    data = fr.load_data(write_npz(tmp_path), data_dir=tmp_path)
    fr.compare(
        ["vit@depth=2", "cnn"], data, seeds=cast(int, np.int64(3)), epochs=7, settings={"batch_size": 8}, folder=tmp_path / "out",
        jobs=2, plan={"precision": "fp32"}, progress=False,
    )  # fmt: skip
    (comparison,) = asked
    assert {each.config.data for each in comparison.candidates} == {data.source}
    assert {(each.config.batch_size, each.config.epochs) for each in comparison.candidates} == {(8, 7)}
    assert list(comparison.seeds) == [0, 1, 2] and comparison.jobs == 2 and comparison.plan == {"precision": "fp32"}
    assert comparison.folder == tmp_path / "out" and comparison.data_dir == tmp_path
    assert [(each.name, seed) for each, seed in comparison.runs][:4] == [
        ("vit@depth=2", 0), ("cnn", 0), ("cnn", 1), ("vit@depth=2", 1),
    ]  # fmt: skip


def test_a_plan_may_have_values_of_python(asked: list[Comparison]) -> None:
    fr.compare("cnn", epochs=1, plan={"num_threads": 2, "compile": False, "precision": "fp32"}, progress=False)
    (comparison,) = asked
    assert comparison.plan == {"num_threads": "2", "compile": "false", "precision": "fp32"}
    assert "num_threads=2,compile=false,precision=fp32" in comparison.command
    for wrong in ({"num_threads": 1.5}, {"compile": None}, {"num_threads": object()}):
        with pytest.raises(FittingRoomError, match=r"num_threads|compile"):
            fr.compare("cnn", epochs=1, plan=wrong, progress=False)


@pytest.mark.parametrize(
    ("options", "folder"),
    [
        ({"epochs": 3}, "compare-3-epochs"),
        ({"budget": "10m"}, "compare-600s"),
        ({"data": "some/where/mine.npz", "epochs": 0.5}, "compare-mine-0.5-epochs"),
        ({"data": "cmudict", "epochs": 3}, "compare-cmudict-3-epochs"),
    ],
)
def test_the_folder_says_data_and_length(options: dict[str, Any], folder: str) -> None:
    assert plan_comparison(**options).folder == Path("runs") / folder


def test_the_data_decide_the_models() -> None:
    assert [each.name for each in plan_comparison(data="cmudict").candidates] == ["transformer", "recurrent"]
    assert [each.name for each in plan_comparison(data="mine.npz", epochs=1).candidates] == ["vit", "cnn", "hybrid"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seeds": 0}, "--seeds 0: a comparison needs at least 1 seed"),
        ({"seeds": 2.5}, "--seeds 2.5: give a whole number"),
        ({"seeds": "3"}, "--seeds '3': give a whole number"),
        ({"seeds": True}, "--seeds True: give a whole number"),
        ({"epochs": 0}, "--epochs 0 is not a length"),
        ({"epochs": "3"}, "epochs '3' is not a length"),
        ({"epochs": 3, "budget": "10m"}, "epochs and budget both set the length"),
        ({"budget": "soon"}, "--budget 'soon' is not a time"),
        ({"budget": -1}, "budget -1 is not a time"),
        ({"jobs": 0}, "--jobs 0: give 1 (one run after another) or more"),
        ({"jobs": "all"}, "--jobs 'all': give a whole number"),
        ({"preset": "fast"}, "unknown preset 'fast': known: quick, standard, full"),
        ({"preset": None}, "preset None: give its name: quick, standard, full"),
        ({"folder": ""}, "folder '' is not a path: give text, such as 'runs/mine'"),
        ({"data": "nope"}, "unknown data set 'nope'"),
        ({"data": 3}, "arrays without labels"),
        ({"settings": {"early_stopping": 3}}, "compare gives every run the full budget"),
        ({"settings": {"dept": 3}}, "unknown key 'dept' for vit: did you mean 'depth'?"),
        ({"settings": {"seed": 3}}, "unknown key 'seed' for vit"),
        ({"settings": 3}, "settings 3: give a dictionary of names and values"),
        ({"plan": ["x"]}, "plan ['x']: give a dictionary of names and values"),
        ({"models": "transformer", "data": "mine.npz"}, "holds images, and transformer reads pairs of sequences"),
        ({"models": "vit", "data": "cmudict"}, "vit classifies images"),
    ],
)
def test_bad_arguments_are_refused_before_anything_begins(
    asked: list[Comparison], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(FittingRoomError) as caught:
        fr.compare(**options, progress=False)
    assert said in str(caught.value) and "\n" not in str(caught.value) and asked == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"settings": {"folds": 1}}, "folds 1 is out of range: choose 2 to 20, such as 5"),
        ({"models": "cnn,vitt"}, "unknown model 'vitt': did you mean 'vit'?"),
        ({"models": "cnn,vit@dept=3"}, "unknown key 'dept' for vit: did you mean 'depth'?"),
        ({"models": "cnn,vit@depth=many"}, "expected a whole number, got 'many'"),
        ({"models": "cnn,vit@size=smal"}, "unknown size 'smal' for vit: did you mean 'small'?"),
        ({"settings": {"optim.lr": -1}}, "lr -1.0 is out of range"),
        ({"settings": {"lr": 0.1}}, "unknown key 'lr' for cnn: did you mean 'optim.lr'?"),
        ({"settings": {"epochs": 3}}, "unknown key 'epochs' for cnn: give --epochs"),
        ({"settings": {"mode": "probe"}}, "unknown key 'mode' for cnn: give MODEL+probe or MODEL+finetune as the model"),
        ({"loggers": ["tensorbord"]}, "unknown logger 'tensorbord'"),
        ({"plan": {"precison": "fp32"}}, "--plan: unknown key 'precison': did you mean 'precision'?"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("length", [{"budget": "10m"}, {"epochs": 3, "settings": {"size": "nano"}}])
def test_mistakes_are_found_before_pictures_are_decoded(
    options: dict[str, Any], length: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A budget or a size looks at the images to choose the network. Decoding them may take minutes."""
    monkeypatch.setattr(Data, "spec", property(lambda self: pytest.fail("the pictures were decoded")))
    (tmp_path / "pictures" / "cat").mkdir(parents=True)
    (tmp_path / "pictures" / "cat" / "1.png").touch()
    asked = {
        "models": "cnn",
        **length,
        **options,
        "settings": {**length.get("settings", {}), **options.get("settings", {})},
    }
    with pytest.raises(FittingRoomError) as caught:
        plan_comparison(data=tmp_path / "pictures", **asked)
    assert said in str(caught.value)
    if set(options) == {"settings"}:  # the same for one run
        with pytest.raises(FittingRoomError) as caught:
            configure("cnn", tmp_path / "pictures", **{key: asked[key] for key in ("settings", *length)})
        assert said in str(caught.value)


def test_models_of_two_tasks_are_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    with pytest.raises(
        FittingRoomError, match="vit is for classification and recurrent for seq2seq: compare models of one"
    ):
        fr.compare("vit,recurrent", epochs=1, folder=tmp_path / "out", progress=False)
    with pytest.raises(FittingRoomError, match=r"missing\.npz cannot be read"):
        fr.compare("vit", "missing.npz", epochs=1, folder=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


# The command in the report


def parsed(comparison: Comparison) -> Comparison:
    """What the recorded command asks for."""
    from fittingroom.cli import options
    from fittingroom.cli.main import build_parser

    program, *words = comparison.command
    assert program == "fittingroom" and shlex.split(shlex.join(words)) == words
    args = build_parser().parse_args(words)
    return plan_comparison(
        args.models, options.data_of(args), seeds=args.seeds, epochs=args.epochs, budget=args.budget, preset=args.preset,
        settings=options.parse_settings(args.settings), train_sizes=options.parse_sizes(args.train_sizes), folder=args.out,
        jobs=args.jobs, plan=options.parse_plan(args.plan),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("args", "options"),
    [
        ((), {}),
        (("vit,vit@depth=2",), {"epochs": 3, "seeds": 4}),
        ((["cnn@widths=[4, 8, 16]", "vit"],), {"budget": "10m", "jobs": 2, "folder": "some where/out"}),
        (("vit",), {"preset": "full", "train_sizes": [100, 2000]}),
        (
            ("vit", "mine.npz"),
            {"epochs": 2, "settings": {"depth": 2, "optim.betas": (0.8, 0.9), "optim.name": "adamw"}},
        ),
        (
            ("vit", fr.load_data("mine.npz", data_dir="some where")),
            {"epochs": 2, "plan": {"precision": "fp32"}},
        ),
        (("transformer", fr.load_data("cmudict", stress="keep")), {"budget": 90}),
        ((None, fr.load_data("a.tsv", dev="b.tsv", test="c.tsv")), {"epochs": 0.5}),
    ],
)
def test_the_recorded_command_asks_for_the_same_comparison(asked: list[Comparison], args: Any, options: Any) -> None:
    fr.compare(*args, **options, progress=False)
    (comparison,) = asked
    again = parsed(comparison)
    assert again.candidates == comparison.candidates
    assert replace(again, command=(), candidates=()) == replace(comparison, command=(), candidates=())


# The result


def test_the_table_has_a_row_per_candidate_and_a_heading_per_column(summary: Summary) -> None:
    table = Table(summary)
    assert len(table) == len(table.rows) == 3
    assert [row["model"] for row in table.rows] == ["ViT", "CNN", "Hybrid"]
    assert set(table.headings) <= set(table.rows[0])
    frame = table.to_pandas()
    assert list(frame.columns) == list(table.headings.values()) and frame.shape == (3, len(table.headings))
    lines = repr(table).splitlines()
    assert len(lines) == 5 and lines[0].startswith("| Model |") and "| CNN |" in lines[3]


def test_titles_of_any_kind_are_text_in_html_and_in_markdown(summary: Summary) -> None:
    first, *others = summary.candidates
    evil = replace(
        summary,
        candidates=(replace(first, title=EVIL), *others),
        verdict=Verdict(headline=f"{EVIL} wins.", sentence=f"By {EVIL}."),
        notes=(f"note on {EVIL}",),
    )
    result = ComparisonResult(folder=Path("runs/x"), summary=evil)
    html = result._repr_html_()
    assert "<script" not in html and html.count("&lt;script&gt;") == 4
    assert "alert(&quot;" in html or "alert(&#34;" in html
    assert "<script" not in Table(evil)._repr_html_() and "<script" not in repr(Table(evil))
    assert repr(Table(evil)).splitlines()[2].count("|") - repr(Table(evil)).splitlines()[2].count("\\|") == (
        repr(Table(evil)).splitlines()[0].count("|")
    )
    assert repr(result).startswith(f"{EVIL} wins. By {EVIL}.\n\n| Model |")


@pytest.mark.thorough
def test_a_result_opens_its_folder_when_it_is_asked(tmp_path: Path) -> None:
    folder = write_images(tmp_path, num_test=200, num_val=100)
    found = summarise(folder)
    write_summary(folder, found)
    result = ComparisonResult(folder=folder, summary=found)
    assert result.contrasts == found.contrasts and result.table is result.table
    assert [row.run for row in result.record.finished("cnn")] == ["cnn-seed0", "cnn-seed1"]
    assert result.report() == folder / "report.html" and (folder / "report.html").exists()
    assert result.table._repr_html_() in result._repr_html_()


# Who is told


def test_a_line_per_run_goes_to_standard_error(asked: list[Comparison], capsys: pytest.CaptureFixture[str]) -> None:
    comparison = plan_comparison("vit,cnn", epochs=1)
    watcher = api._line_watcher(comparison)
    watcher.starts(0, "vit-seed0")
    row: Any = type("Row", (), {"run": "vit-seed0", "status": "failed", "error": "too hot"})
    watcher.ends(0, row)
    out, err = capsys.readouterr()
    assert out == "" and err == "run 1 of 6: vit-seed0\n  vit-seed0: failed, too hot\n"


def test_in_a_child_process_that_runs_the_script_again_compare_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(processes.multiprocessing.current_process(), "_inheriting", True, raising=False)
    monkeypatch.setattr(processes.os, "_exit", codes.append)
    processes.check_main_guard()
    assert codes == [processes.NO_MAIN_GUARD]


def test_a_comparison_without_a_finished_run_has_no_curves(tmp_path: Path) -> None:
    names = [f"{model}-seed{seed}" for model in ("vit", "cnn", "hybrid") for seed in (0, 1)]
    folder = write_images(tmp_path / "failed", failed=names, num_test=20)
    with pytest.raises(FittingRoomError, match=r"comparison\.json: no run has finished, so there is nothing to draw"):
        ComparisonResult(folder, summarise(folder)).plot()
