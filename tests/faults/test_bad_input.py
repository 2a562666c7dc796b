"""Whatever a tired person types wrongly: one line that helps, exit code 2, no traceback, nothing written."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fittingroom.cli.main import main
from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.augment import AugmentConfig
from fittingroom.data.spec import Preprocessing
from fittingroom.models.cnn import CNNConfig
from fittingroom.models.hybrid import HybridConfig
from fittingroom.models.recurrent import RecurrentConfig
from fittingroom.models.transformer import TransformerConfig
from fittingroom.models.vit import ViTConfig
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.config import OptimConfig, ScheduleConfig
from fittingroom.training.metrics_file import MetricsFile

MISTAKES = [
    ("", "the following arguments are required: COMMAND"),
    ("trian vit", "invalid choice: 'trian'"),
    ("train", "MODEL"),
    ("train vitt", "unknown model 'vitt': did you mean 'vit'?"),
    ("train vit --epochs 0", "--epochs 0 is not a length: give a number above 0"),
    *(
        (f"train vit --epochs {text}", f"argument --epochs: '{text}' is not a number: write digits, such as 5 or 0.5")
        for text in ("nan", "inf", "five", "0x10", "1_000", "١٠")
    ),
    ("train vit --epochs -1", "--epochs -1 is not a length: give a number above 0"),
    ("train vit --epochs 1e400", "argument --epochs: '1e400' is too large"),
    (
        "train vit --epochs 1e9",
        "--epochs 1e+09 is not a length: give a number above 0, such as 5 or 0.5, at most 1,000,000",
    ),
    ("train vit --budget 99999999999h", "--budget 99999999999h is too long: give at most 8,784h"),
    ("train vit --budget ١٠s", "is not a time"),
    *(
        (f"{command} --checkpoint-seconds {text}", said)
        for command in ("train vit", "compare", "bench time-to-accuracy")
        for text, said in (
            ("nan", "'nan' is not a number"),
            ("inf", "'inf' is not a number"),
            ("-5", "--checkpoint-seconds -5 is out of range: choose 0 (after every step) to 86,400 (a day)"),
        )
    ),
    ("train vit --seed 1_000", "argument --seed: '1_000' is not a whole number: write digits, such as 3"),
    ("train vit --seed 99999999999999999999", "seed 99999999999999999999 is too large"),
    ("train vit --early-stopping 0x3", "'0x3' is not a whole number"),
    ("train vit --set depth=99999999", "depth 99999999 is too large: choose at most 1,000"),
    ("train vit --set embed_dim=1000000000", "embed_dim 1000000000 is too large: choose at most 1,000,000"),
    ("train vit --set mlp_ratio=1e300", "mlp_ratio 1e+300 is too large: choose at most 7812.5"),
    ("train cnn --set blocks=[0,1,99999]", "blocks (0, 1, 99999) is too deep: choose at most 1,000"),
    ("train cnn --set widths=[99999,99999,99999]", "cnn does not fit in memory: training needs over "),
    ("compare --models vit,cnn@widths=[99999,99999,99999]", "cnn does not fit in memory: training needs over "),
    ("train vit --set patch_size=1 --set batch_size=50000", "GB for a step of 50000"),
    ("train vit --set augment.shift_pixels=1000000000", "must be at most 1,000"),
    ("train vit --set augment.rand_augment_ops=1000000000", "must be at most 1,000"),
    ("train vit --set augment.mixup_alpha=1e308", "mixup_alpha 1e+308 is out of range: choose 0 (off) to 1,000"),
    ("train vit --set batch_size=1e400", "expected a finite number, got inf"),
    ("train vit --set batch_size=1_000", "expected a whole number, got '1_000'"),
    ("train vit --set batch_size=NaN", "expected a finite number, got nan"),
    ("train vit --out=", "--out: the value is empty: was a variable of your shell not set?"),
    ("compare --models=", "--models: the value is empty"),
    ('compare --models ""', "--models: the value is empty: was a variable of your shell not set?"),
    ("bench time-to-accuracy --models=", "--models: the value is empty"),
    ("compare --seeds 1000000000", "--seeds 1000000000: give at most 1,000"),
    ("compare --jobs 1000000000", "--jobs 1000000000: give 1 (one run after another) or more, at most 1,000"),
    ("bench time-to-accuracy --jobs 1000000000", "at most 1,000"),
    ("compare --train-sizes ²", "--train-sizes '²': write whole numbers above 0"),
    ("train vit --budget 0.001s", "vit: the budget is too short for one step and its validation: give at least"),
    ("compare --models vit,cnn --budget 0.001s", "vit: the budget is too short for one step and its validation"),
    ("train vit --logger wandb --logger wandb", "--logger wandb,wandb: name each logger once"),
    ("train vit --logger wandb@projct=shoes", "unknown setting 'projct': did you mean 'project'?"),
    ("train vit --logger tensorboard@project=shoes", "tensorboard has no settings"),
    ("compare --logger tensorbord", "unknown logger 'tensorbord': did you mean 'tensorboard'?"),
    ("train vit --epochs 1 --budget 10s", "not allowed with argument"),
    ("train vit --budget soon", "--budget 'soon' is not a time: write 90s, 10m or 1.5h"),
    ("train vit --budget 0s", "is not a time"),
    ("train vit --seed -1", "seed -1 is negative"),
    ("train vit --early-stopping 0", "early_stopping 0 is too small"),
    ("train vit --set patch_size=5", "patch_size 5 does not divide img_size 28: choose one of [1, 2, 4, 7, 14, 28]"),
    ("train vit --set num_heads=3", "num_heads 3 does not divide embed_dim 128"),
    ("train vit --set img_size=32", "--set img_size: the data determines it: omit it"),
    ("train cnn --set in_chans=3", "--set in_chans: the data determines it"),
    ("train vit --set num_classes=5", "--set num_classes: the data determines it"),
    ("train vit --set patchsize=4", "unknown key 'patchsize' for vit: did you mean 'patch_size'?"),
    ("train vit --set optim.learning=1", "unknown key 'optim.learning'"),
    ("train vit --set depth=many", "expected a whole number, got 'many'"),
    (f"train vit --set depth={'9' * 5000}", "expected a whole number, got '999"),
    ("train vit --set depth", "write KEY=VALUE"),
    ("train vit --set optim=fast", "unknown key 'optim'"),
    ("train vit --set optim.name=sgd", "'sgd' is not one of adamw, muon"),
    ("train vit --set seed=3", "unknown key 'seed'"),
    (
        "train vit --logger tensorbord --set train_images=200",
        "unknown logger 'tensorbord': did you mean 'tensorboard'?",
    ),
    ("train vit --set train_images=100 --set batch_size=101", "batch_size 101 does not suit 100 training images"),
    ("train vit --set train_images=70000", "num_train 70000 is more than there are: choose at most 55000"),
    ("train cnn --recipe cnn_2", "unknown recipe 'cnn_2': did you mean 'cnn_20'?"),
    (
        "train cnn --recipe vit_20",
        "recipe 'vit_20' is not for cnn models: for cnn choose cnn_1, cnn_5, cnn_20, cnn_50",
    ),
    ("bench", "the following arguments are required: WHAT"),
    ("bench time-to-acuracy", "unknown bench 'time-to-acuracy': did you mean 'time-to-accuracy'?"),
    ("bench time-to-accuracy --models vitt", "unknown model 'vitt': did you mean 'vit'?"),
    ("bench time-to-accuracy --epochs 0", "--epochs 0 is not a length: give a number above 0"),
    ("bench time-to-accuracy --seeds 0", "--seeds 0: a comparison needs at least 1 seed"),
    (
        "bench time-to-accuracy --runs nowhere --seeds 2",
        "--seeds: --runs reads finished runs and trains nothing",
    ),
    ("bench time-to-accuracy --runs nowhere", "no folder at nowhere: give one that holds finished runs"),
    *(
        (f"{command} --plan {words}", said)
        for command in ("train vit", "compare")
        for words, said in (
            ("nonsense", "--plan 'nonsense': write PART=VALUE,PART=VALUE, such as precision=fp32,compile=false"),
            ("precision=", "--plan 'precision=': write PART=VALUE"),
            ("precision=fp17", "--plan.precision: 'fp17' is not one of fp32, bf16"),
            ("precison=fp32", "--plan: unknown key 'precison': did you mean 'precision'?"),
            ("colour=red", "--plan: unknown key 'colour': known: attention, channels_last, compile, device"),
            ("num_threads=0", "num_threads 0 is too small: choose 1 or more"),
            ("num_threads=1000000000", "num_threads 1000000000 is too large: choose at most 1,024"),
            ("device=abacus", "--plan.device: 'abacus' is not one of cpu, cuda, mps"),
        )
    ),
    ("compare --jobs 0", "--jobs 0: give 1 (one run after another) or more"),
    ("compare --jobs many", "'many' is not a whole number"),
    ("train vit --jobs 2", "unrecognized arguments: --jobs 2 (see: fittingroom train --help)"),
    (
        "train vit --budgt=12s",
        "unrecognized arguments: --budgt=12s: did you mean '--budget'? (see: fittingroom train --help)",
    ),
    ("compare --seeds 0", "--seeds 0: a comparison needs at least 1 seed"),
    ("compare --seeds two", "'two' is not a whole number"),
    ("compare --models vit,resnet", "unknown model 'resnet'"),
    ("compare --models vit,vit", "name one or more different models"),
    ("compare --models ,", "name one or more different models"),
    ("compare --preset fast", "unknown preset 'fast'"),
    ("evaluate nowhere", "no run at 'nowhere': give the folder of a finished run"),
    ("evaluate vit --split train", "unknown split 'train': choose val or test"),
    ("explain nowhere", "no run at 'nowhere': give the folder of a finished run"),
    ("explain vitt", "did you mean 'vit'?"),
    ("explain vit vit", "RUN 'vit' is named twice"),
    ("explain vit ./vit cnn ./cnn hybrid ./hybrid", "6 RUNs do not fit side by side: give at most 5"),
    ("explain vit --index 5000", "--index 5000: there are 5,000 validation images: choose 0 to 4999"),
    ("explain vit --index -1", "choose 0 to 4999"),
    ("explain vit --index two", "'two' is not a whole number"),
    ("explain vit --mistakes 0", "--mistakes 0 is out of range: choose 1 to 100 images"),
    ("explain vit --disagreements 101", "choose 1 to 100"),
    ("explain vit --mistakes 3 --index 3", "not allowed with argument"),
    (
        "explain vit --image nowhere.png",
        "nowhere.png does not exist: give the path of a picture, such as a PNG or JPEG",
    ),
    ("explain vit --image empty.png", "is not a readable picture"),
    ("explain vit --method rolout", "unknown method 'rolout': did you mean 'rollout'?"),
    ("explain cnn --method rollout", "needs attention between tokens, which cnn does not have: choose gradcam, random"),
    ("explain vit --split train", "unknown split 'train': choose val or test"),
    ("explain vit --faithfulness 1", "--faithfulness 1 is out of range: choose 2 to 5000 images"),
    ("explain vit --faithfulness -5", "choose 2 to 5000"),
    ("explain vit --format pdf", "--format 'pdf': choose png, svg or png,svg"),
    ("report nowhere", "nowhere/comparison.json"),
    ("data chekc", "unknown action 'chekc': did you mean 'check'?"),
    ("data check --data-dir nowhere", "nowhere"),
    ("data check cmudcit", "unknown data set 'cmudcit': did you mean 'cmudict'?"),
    ("data check nowhere.tsv", "nowhere.tsv cannot be read (No such file or directory): give a TSV file of pairs"),
    ("data check a.tsv b.tsv", "2 names do not make a data set: give one file, or three: train dev test"),
    ("data check cmudict --stress none", "--stress none: choose strip or keep"),
    ("data check pairs.tsv --stress keep", "--stress keep: choose strip or keep, for cmudict only"),
    ("data check --stress keep", "--stress is for cmudict"),
    ("data check cmudict --data-dir nowhere", "--data-dir is the folder of Fashion-MNIST: omit it"),
    ("data fetch cmudict", "nothing to fetch for 'cmudict'"),
    ("train vit --data-dir nowhere", "nowhere"),
    ("models --josn", "unrecognized arguments: --josn (see: fittingroom models --help)"),
]


@pytest.mark.parametrize(("typed", "said"), MISTAKES, ids=[typed[:99] or "nothing" for typed, _ in MISTAKES])
def test_a_mistake_costs_one_line(
    typed: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.png").touch()
    code = main(shlex.split(typed))
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1 and err.startswith("fittingroom: ")
    assert said in err
    results = (".safetensors", ".npz", ".html", ".png")
    assert [path.name for path in tmp_path.rglob("*") if path.suffix in results] == ["empty.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["empty.png"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ViTConfig(positions="sinusoidal"), "ViTConfig.positions: 'sinusoidal' is not one of learned, "),  # type: ignore[arg-type]
        (lambda: ViTConfig(pool="max"), "ViTConfig.pool: 'max' is not one of mean, cls"),  # type: ignore[arg-type]
        (lambda: HybridConfig(pool="max"), "HybridConfig.pool: 'max' is not one of sequence, mean"),  # type: ignore[arg-type]
        (lambda: CNNConfig(downsample="average"), "CNNConfig.downsample: 'average'"),  # type: ignore[arg-type]
        (lambda: TransformerConfig(norm="both"), "TransformerConfig.norm: 'both'"),  # type: ignore[arg-type]
        (lambda: RecurrentConfig(cell="rnn"), "RecurrentConfig.cell: 'rnn'"),  # type: ignore[arg-type]
        (lambda: AugmentConfig(flip="up"), "AugmentConfig.flip: 'up'"),  # type: ignore[arg-type]
        (lambda: OptimConfig(name="sgd"), "OptimConfig.name: 'sgd'"),  # type: ignore[arg-type]
        (lambda: ScheduleConfig(shape="step"), "ScheduleConfig.shape: 'step'"),  # type: ignore[arg-type]
        (lambda: ClassificationConfig(model="vit", epochs=1.0, batch_size="64"), "batch_size: expected a whole number"),  # type: ignore[arg-type]
        (lambda: Preprocessing(bright_ground="dark"), "Preprocessing.bright_ground: 'dark'"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_a_config_built_in_python_checks_its_words(make: Callable[[], object], said: str) -> None:
    with pytest.raises(FittingRoomError, match=re.escape(said)):
        make()


TINY_RUN = (
    *("--epochs", "1", "--set", "train_images=64", "--set", "batch_size=32", "--set", "depth=1"),
    *("--set", "patch_size=14", "--set", "embed_dim=8"),
)


def test_a_folder_holds_a_run_or_a_comparison_not_both(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run, comparison = tmp_path / "run", tmp_path / "comparison"
    assert main(["train", "vit", *TINY_RUN, "--out", str(run)]) == 0
    assert main(["compare", "--models", "vit", *TINY_RUN, "--out", str(run)]) == 2
    assert f"{run} holds a run: choose another folder for the comparison with --out" in capsys.readouterr().err
    for name in ("comparison.json", "plan.json"):
        comparison.mkdir()
        (comparison / name).write_text("{}")
        assert main(["train", "vit", *TINY_RUN, "--out", str(comparison)]) == 2
        assert f"{comparison} holds a comparison: choose another folder" in capsys.readouterr().err
        assert [path.name for path in comparison.iterdir()] == [name]
        (comparison / name).unlink()
        comparison.rmdir()
    assert main(["train", "vit", *TINY_RUN, "--out", str(run)]) == 0
    assert capsys.readouterr().err == f"{run}: already finished, nothing trained\n"
    assert main(["train", "vit", *TINY_RUN, "--out", str(run), "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    (run / "model.safetensors").unlink()
    assert main(["train", "vit", *TINY_RUN, "--out", str(run)]) == 2
    assert "finished, but model.safetensors is gone: delete the folder to train again" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["ste", "step,lr\nx,1\n", "step,lr\n1,0.1,9\n", "\x00"])
def test_a_damaged_metrics_file_is_one_line_when_a_run_is_resumed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(text + "\n1,2\n")
    with pytest.raises(FittingRoomError, match=r"metrics\.csv is damaged .* delete it to resume without its rows"):
        MetricsFile(path, 10, lambda: 0.0).read(last_step=5)


def test_a_run_that_failed_goes_on_with_its_own_command_once_mended(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A budget for not one step is found before anything is written, or fails before the run has a state."""
    words = ["train", "vit", "--budget", "0.01s", "--set", "train_images=64", "--set", "batch_size=32", "--resume"]
    words += ["--set", "depth=1", "--set", "patch_size=14", "--set", "embed_dim=8", "--out", str(tmp_path / "run")]
    for _ in range(2):
        assert main(words) == 2
        assert "too short for one step" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train vit", "compare"])
def test_a_device_that_is_not_there_costs_one_line(
    command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert main([*command.split(), "--plan", "device=cuda"]) == 2
    said = "fittingroom: device 'cuda' is not on this machine: --plan device= takes cpu\n"
    assert capsys.readouterr() == ("", said)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("command", "options"), [("train", ("--plan",)), ("compare", ("--plan", "--jobs"))])
def test_help_names_the_options_of_speed(
    command: str, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    words = " ".join(capsys.readouterr().out.split())
    assert all(f"{option} " in words for option in options)
    assert "fix parts of the speed plan instead of measuring them, such as precision=fp32,compile=false" in words


def test_a_folder_that_cannot_be_made_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("I was here first")
    assert main(["train", "vit", "--out", str(in_the_way / "run")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert str(in_the_way) in err and "--out" in err
    assert in_the_way.read_text() == "I was here first"


def test_a_run_folder_of_other_settings_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["train", "vit", "--epochs", "1", "--set", "train_images=64", "--set", "batch_size=32", "--set", "depth=1"]
    words += ["--set", "patch_size=14", "--set", "embed_dim=8", "--out", str(tmp_path / "run"), "--json"]
    assert main(words) == 0
    before = (tmp_path / "run" / "state.json").read_bytes()
    assert main([*words, "--seed", "1"]) == 2
    assert "other settings" in capsys.readouterr().err
    assert (tmp_path / "run" / "state.json").read_bytes() == before


def test_a_loss_that_is_not_finite_names_step_and_learning_rate(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["train", "vit", "--epochs", "2", "--set", "train_images=640", "--set", "batch_size=32", "--set", "depth=1"]
    words += ["--set", "patch_size=14", "--set", "embed_dim=8", "--set", "optim.name=adamw", "--set", "optim.lr=1e30"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    err = capsys.readouterr().err
    assert "loss became" in err and "at step" in err and "optim.lr" in err and err.count("\n") == 1
    state = (tmp_path / "run" / "state.json").read_text()
    assert '"status": "failed"' in state and "loss became" in state
