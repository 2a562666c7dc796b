"""The table of commands: words for `--help`, options, and the function that is called."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fittingroom.cli import bench, run
from fittingroom.cli.options import add_checkpoint_seconds, add_data_dir, add_length, add_pairs, add_plan, add_set
from fittingroom.cli.pronounce import pronounce

AddOption = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True, kw_only=True)
class Command:
    """One subcommand."""

    call: Callable[[argparse.Namespace], int]
    help: str
    description: str
    epilog: str = ""
    options: Sequence[AddOption] = ()
    interrupted: str = ""
    """What Ctrl-C leaves and how to go on, where it leaves something."""


def _model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="vit, cnn, hybrid; transformer, recurrent; or another name that `fittingroom models` lists",
    )


def _train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="decides all that is drawn by chance (default: 0)"
    )
    parser.add_argument(
        "--recipe", metavar="NAME",
        help="cnn_5, cnn_20, cnn_50, and so for hybrid and vit; transformer_10, transformer_24, and so for recurrent (default: "
        "that of the family nearest in epochs; with --budget the first, from an hour on the second)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help="run folder (default: runs/MODEL-LENGTH-seedS, with --recipe runs/MODEL-LENGTH-RECIPE-seedS)",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true", help="go on with a run that was stopped; bit for bit what it would have become"
    )
    parser.add_argument(
        "--logger", action="append", default=[], metavar="NAME", dest="loggers",
        help="tensorboard or wandb (offline, no account) beside metrics.csv; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--sealed", action="store_true", help="leave the test images sealed: for a trial, to be judged on validation"
    )
    parser.add_argument(
        "--early-stopping", type=int, metavar="N", help="stop after N validations without a lower validation loss"
    )


def _compare_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models", metavar="A,B",
        help="candidates, separated by commas; settings go after @: vit,vit@patch_size=7,cnn (default: vit,cnn,hybrid; "
        "for pairs transformer,recurrent)",
    )  # fmt: skip
    parser.add_argument("--preset", default="quick", metavar="NAME", help="quick, standard or full (default: quick)")
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="runs of each model, seeds 0 to N-1 (default: the preset's)"
    )
    parser.add_argument(
        "--train-sizes",
        metavar="N,M",
        help="train each candidate on N, on M, ... items: a curve over the size of the data",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N",
        help="runs side by side, one per core with one thread each; 1: one after another, with all threads, so other last digits "
        "(default: whichever is measured to be faster)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help="folder of runs and report (default: runs/compare-LENGTH, of pairs runs/compare-DATA-LENGTH)",
    )  # fmt: skip


def _evaluate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run",
        metavar="RUN",
        help="folder of a finished run, or vit, cnn, hybrid, vit_cls, transformer, recurrent: weights that come with the package",
    )
    parser.add_argument(
        "--split",
        default="val",
        metavar="SPLIT",
        help="val or test; a read of test is logged in the run (default: val)",
    )


def _explain_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="folders of finished runs, or vit, cnn, hybrid, vit_cls: the weights that come with the package "
        "(default: vit hybrid cnn)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--image", type=Path, action="append", default=[], metavar="FILE", dest="files",
        help="a picture of yours, PNG or JPEG; may be repeated",
    )  # fmt: skip
    which.add_argument("--index", type=int, metavar="N", help="image N of the split, from 0")
    which.add_argument("--mistakes", type=int, metavar="N", help="the N images on which all RUNs are wrong and surest")
    which.add_argument(
        "--disagreements",
        type=int,
        metavar="N",
        help="the N images on which two RUNs are sure of different classes (one RUN: it and those of the package)",
    )
    parser.add_argument(
        "--method", metavar="NAME",
        help="attention, rollout, relevance, gradcam or random (default: relevance, for a CNN gradcam)",
    )  # fmt: skip
    parser.add_argument(
        "--split",
        default="val",
        metavar="SPLIT",
        help="val or test; a read of test is logged in each RUN (default: val)",
    )
    parser.add_argument(
        "--faithfulness", type=int, default=0, metavar="N",
        help="measure on N images whether each method's maps mean something (1,000 images: minutes a RUN)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the pictures (default: runs/explain-RUNS-IMAGES)"
    )
    parser.add_argument("--format", default="png", metavar="NAMES", help="png, svg or png,svg (default: png)")


def _pronounce_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="folder of a finished run of a sequence model, or transformer, recurrent: weights that come with the package",
    )
    parser.add_argument(
        "words", nargs="+", metavar="WORD", help="a spelling; one that begins with a dash goes after --"
    )
    parser.add_argument(
        "--beam", type=int, default=1, metavar="N",
        help="up to N answers a word, by beam search (default: 1, the likeliest symbol each time)",
    )  # fmt: skip
    parser.add_argument("--explain", action="store_true", help="show which letters were looked at for each symbol")
    parser.add_argument(
        "--out", type=Path, metavar="PATH",
        help="with --explain: a picture (x.png, x.svg) of every layer and head, a page (x.html) to click through, or a folder "
        "for all of it",
    )  # fmt: skip


def _report_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a comparison")


def _bench_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", metavar="WHAT", help="time-to-accuracy: seconds to 90, 92, 93 and 94 %% on validation"
    )
    parser.add_argument(
        "--runs", type=Path, metavar="DIR", help="read the finished runs at or below DIR; nothing is trained"
    )
    parser.add_argument("--models", metavar="A,B", help="names, separated by commas (default: vit,cnn,hybrid)")
    parser.add_argument("--seeds", type=int, metavar="N", help="runs of each model (default: 3)")
    parser.add_argument("--epochs", type=float, metavar="N", help="length of each run (default: 5)")
    parser.add_argument("--jobs", type=int, metavar="N", help="runs side by side (default: one a core)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the runs (default: runs/bench-N-epochs)")


def _data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", metavar="ACTION", help="check: verify files, count classes and duplicates; fetch: obtain them"
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME",
        help="fashion-mnist, cmudict, a TSV file of pairs, or three: train, dev and test (default: fashion-mnist)",
    )  # fmt: skip
    parser.add_argument(
        "--stress", metavar="WHAT", help="of cmudict's vowels: strip (39 phonemes) or keep (69) (default: strip)"
    )


COMMANDS = {
    "compare": Command(
        call=run.compare,
        help="train several models under one protocol; table, verdict and report.html",
        description="Train models x seeds with one budget for all, then compare them: table, verdict, report.html.\n"
        "Stop it with Ctrl-C at any moment; the same command goes on where it stood and skips what is done.",
        epilog="presets:\n  quick     2 seeds x 100 s each: six minutes on two cores, a first look\n"
        "  standard  3 seeds x 5 epochs\n  full      5 seeds x 20 epochs\n\n"
        "examples:\n  fittingroom compare --preset quick\n"
        "  fittingroom compare --models resnet20,hybrid --seeds 3 --budget 10m --out runs/mine\n"
        "  fittingroom compare --data cmudict --models transformer,recurrent --seeds 3 --budget 20m",
        options=(_compare_options, add_pairs, add_length, add_set, add_plan, add_data_dir, add_checkpoint_seconds),
        interrupted="finished runs are kept, and of others the last checkpoint: the same command goes on from there",
    ),
    "train": Command(
        call=run.train,
        help="train one model; weights, metrics and predictions in a run folder",
        description="Train one model with the recipe of its family and evaluate its last epoch.\n"
        "Kill it at any moment: the same command with --resume ends with the very same weights.",
        epilog="examples:\n  fittingroom train cnn --epochs 5\n  fittingroom train cnn --recipe cnn_20\n"
        "  fittingroom train vit --budget 10m --seed 1\n"
        "  fittingroom train vit --epochs 5 --set depth=6 --set optim.muon_lr=0.01\n"
        "  fittingroom train transformer --data cmudict --budget 20m\n"
        "  fittingroom train recurrent --train a.tsv --dev b.tsv --test c.tsv --epochs 30",
        options=(
            _model,
            add_pairs,
            add_length,
            _train_options,
            add_set,
            add_plan,
            add_data_dir,
            add_checkpoint_seconds,
        ),
        interrupted="the last checkpoint is kept, if there was one yet: the same command with --resume goes on from there",
    ),
    "evaluate": Command(
        call=run.evaluate,
        help="score a finished run on its validation or test part",
        description="Load a run's weights and score them. Reading the test split is logged in the run's state.json\n"
        "(for the weights that come with the package: in the cache, below fittingroom/test-reads).",
        epilog="examples:\n  fittingroom evaluate hybrid\n  fittingroom evaluate transformer\n"
        "  fittingroom evaluate runs/cnn-5-epochs-seed0 --split test",
        options=(_evaluate_options, add_data_dir),
    ),
    "explain": Command(
        call=run.explain,
        help="pictures of what networks look at, and whether they mean something",
        description="Draw where networks look: the same images through each, every head, rollout, positions, filters.\n"
        "With no image asked for: the first of each class. Numbers go to explain.json.",
        epilog="examples:\n  fittingroom explain\n  fittingroom explain vit --index 12\n"
        "  fittingroom explain vit cnn --image shoe.jpg\n  fittingroom explain hybrid --mistakes 16 --method rollout\n"
        "  fittingroom explain runs/vit-5-epochs-seed0 --disagreements 16 --faithfulness 200",
        options=(_explain_options, add_data_dir),
    ),
    "pronounce": Command(
        call=pronounce,
        help="ask a sequence model how words are spoken, and which letters it looked at",
        description="Print what a trained model makes of spellings: any word, whether a dictionary holds it or not. What the\n"
        "CMU dictionary says stands beside it where the model was trained on that.",
        epilog="examples:\n  fittingroom pronounce transformer hello tomato\n"
        "  fittingroom pronounce transformer tomato --beam 4\n"
        "  fittingroom pronounce recurrent though through thorough --explain\n"
        "  fittingroom pronounce runs/mine phonograph --explain --out phonograph.png\n"
        "  fittingroom pronounce runs/mine though through --explain --out though.html",
        options=(_pronounce_options,),
    ),
    "report": Command(
        call=run.report,
        help="make a comparison's report.html again, from its files alone",
        description="Make summary.json and report.html of a comparison again. Needs its files only: no images, no torch.",
        epilog="example:\n  fittingroom report runs/compare-100s",
        options=(_report_options,),
    ),
    "bench": Command(
        call=bench.bench,
        help="how long training takes until it is good: time to accuracy",
        description="Train models x seeds and report the median seconds until 90, 92, 93 and 94 % of the validation images\n"
        "are right, compiling and validating included. The test images stay sealed. Stop it at any moment; the same\n"
        "command goes on where it stood.",
        epilog="examples:\n  fittingroom bench time-to-accuracy --models cnn --epochs 5\n"
        "  fittingroom bench time-to-accuracy --runs results/ladder",
        options=(_bench_options, add_data_dir, add_checkpoint_seconds),
        interrupted="finished runs are kept, and of others the last checkpoint: the same command goes on from there",
    ),
    "models": Command(
        call=run.models,
        help="list the models: family, parameters, multiply-adds, source",
        description="List every model that `train` and `compare` know. Sizes are for one image of Fashion-MNIST (28x28, one\n"
        "channel), or for one word of eight letters and eight phonemes.",
    ),
    "data": Command(
        call=run.data,
        help="check or fetch images, check pairs of sequences",
        description="check: verify checksums and shapes, count classes and exact duplicates; of pairs (a spelling, its\n"
        "pronunciations) count symbols, lengths and what the parts share. fetch: find Fashion-MNIST, or download it.",
        epilog="examples:\n  fittingroom data check\n  fittingroom data check cmudict --stress keep\n"
        "  fittingroom data check pairs.tsv\n  fittingroom data check train.tsv dev.tsv test.tsv",
        options=(_data_options, add_data_dir),
    ),
}
