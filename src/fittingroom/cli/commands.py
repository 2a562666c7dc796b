"""The table of commands: help texts, options, and the function that each command calls."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fittingroom.cli import bench, run
from fittingroom.cli.explain import explain
from fittingroom.cli.options import (
    add_checkpoint_seconds,
    add_data_dir,
    add_length,
    add_loggers,
    add_moved_data,
    add_pairs,
    add_pictures,
    add_plan,
    add_quiet,
    add_set,
    folds_setting,
    number,
    whole_number,
)
from fittingroom.cli.predict import predict
from fittingroom.cli.pronounce import pronounce
from fittingroom.cli.verdict import verdict

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
    """The message after Ctrl-C: what is kept and how to continue. Empty if nothing is kept."""


def _model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="vit, cnn, hybrid; transformer, recurrent; or another name that `fittingroom models` lists, timm:NAME or hf:NAME; "
        "NAME+probe and NAME+finetune start from pretrained weights",
    )


def _train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", type=whole_number, default=0, metavar="S", help="seed of all random choices (default: 0)"
    )
    parser.add_argument(
        "--recipe", metavar="NAME",
        help="cnn_1, cnn_5, cnn_20, cnn_50, and the same for hybrid and vit; transformer_10, transformer_24, transformer_100 "
        "(for few pairs), and the same for recurrent (default: the family's recipe with the closest number of epochs; --budget "
        "also chooses the size of vit, cnn and hybrid)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help="run folder (default: runs/MODEL-LENGTH-seedS, with --recipe runs/MODEL-LENGTH-RECIPE-seedS; with --data the "
        "name of the data follows MODEL)",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true", help="continue a stopped run; it ends with exactly the same weights"
    )
    parser.add_argument(
        "--sealed",
        action="store_true",
        help="do not read the test part: for a trial that you judge by validation scores",
    )
    parser.add_argument(
        "--early-stopping",
        type=whole_number,
        metavar="N",
        help="stop after N validations in a row without a new lowest validation loss, and keep the weights with the lowest loss",
    )


def _compare_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models", metavar="A,B",
        help="candidates, separated by commas; settings follow @, as in vit,vit@patch_size=7,cnn; +probe and +finetune start "
        "from pretrained weights, as in timm:resnet18+probe (default: vit,cnn,hybrid; for pairs transformer,recurrent)",
    )  # fmt: skip
    parser.add_argument("--preset", default="quick", metavar="NAME", help="quick, standard or full (default: quick)")
    parser.add_argument(
        "--seeds", type=whole_number, metavar="N", help="runs of each model, seeds 0 to N-1 (default: the preset's)"
    )
    parser.add_argument(
        "--folds", action="append", default=[], metavar="K", dest="settings", type=folds_setting,
        help="cross-validation: each seed trains K networks, and every image is a test image once per seed. Without --seeds, "
        "fewer than 2,000 images of your own that have no test part get 5 folds and 2 seeds; none keeps one test part",
    )  # fmt: skip
    parser.add_argument(
        "--train-sizes",
        metavar="N,M",
        help="compare training sizes: train each candidate on N items, on M items, and so on",
    )
    parser.add_argument(
        "--jobs", type=whole_number, metavar="N",
        help="number of runs at a time, each with one thread on its own core. With 1, the runs come one after another and each "
        "uses all threads, which changes the last digits (default: the faster way, found by measuring)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help="folder for runs and report (default: runs/compare-LENGTH or runs/compare-DATA-LENGTH)",
    )  # fmt: skip


def _evaluate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run",
        metavar="RUN",
        help="folder of a finished run, or an included network: vit, cnn, hybrid, vit_cls, transformer, recurrent",
    )
    parser.add_argument(
        "--split",
        default="val",
        metavar="SPLIT",
        help="val or test; a read of test is logged in the run (default: val)",
    )
    for part in ("train", "dev", "test"):
        parser.add_argument(f"--{part}", metavar="FILE", help=f"where the run's {part} file is now; give all three")


def _explain_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="folders of finished runs, or the included networks vit, cnn, hybrid, vit_cls (default: vit hybrid cnn)",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--image", type=Path, action="append", default=[], metavar="FILE", dest="files",
        help="your own picture, such as a PNG or JPEG; may be repeated",
    )  # fmt: skip
    which.add_argument("--index", type=whole_number, metavar="N", help="image N of the split, from 0")
    which.add_argument(
        "--mistakes",
        type=whole_number,
        metavar="N",
        help="the N images on which all RUNs are wrong, the most confident first",
    )
    which.add_argument(
        "--disagreements",
        type=whole_number,
        metavar="N",
        help="the N images on which two RUNs predict different classes with the most confidence (a single RUN is compared "
        "with the included networks)",
    )
    parser.add_argument(
        "--method", metavar="NAME",
        help="attention, rollout, relevance, gradcam or random (default: relevance; for a CNN, gradcam)",
    )  # fmt: skip
    parser.add_argument(
        "--target", metavar="CLASS",
        help="the class that the maps explain, by name or number (default: the class that the RUN predicts)",
    )  # fmt: skip
    parser.add_argument(
        "--split",
        default="val",
        metavar="SPLIT",
        help="val or test; a read of test is logged in each RUN (default: val)",
    )
    parser.add_argument(
        "--faithfulness", type=whole_number, default=0, metavar="N",
        help="test on N images whether the maps of each method mean something (1,000 images take minutes per RUN)",
    )  # fmt: skip
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for the pictures (default: runs/explain-RUNS-IMAGES, or the next free name)",
    )
    parser.add_argument("--format", default="png", metavar="NAMES", help="png, svg or png,svg (default: png)")


def _predict_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="run folder, or the name of an included network")
    parser.add_argument(
        "files", nargs="+", metavar="FILE",
        help="pictures, or folders of pictures; - reads the names from standard input, one per line or separated by NUL",
    )  # fmt: skip
    parser.add_argument("--top", type=int, default=1, metavar="K", help="classes per picture (default: 1)")
    parser.add_argument(
        "--none", type=float, metavar="PERCENT",
        help="answer 'none of these' for pictures that are unlike the training pictures; about PERCENT of the pictures that "
        "do show a class get this answer by mistake, so choose 1 to 5. Needs the training pictures",
    )  # fmt: skip
    parser.add_argument("--csv", action="store_true", help="print a table with a row per file")


def _pronounce_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="folder of a finished run of a sequence model, or an included network: transformer, recurrent",
    )
    parser.add_argument(
        "words", nargs="+", metavar="WORD", help="a spelling; put -- before one that begins with a dash"
    )
    parser.add_argument(
        "--beam", type=whole_number, default=1, metavar="N",
        help="up to N answers per word, by beam search (default: 1, which always takes the most likely symbol)",
    )  # fmt: skip
    parser.add_argument("--explain", action="store_true", help="show which letters the model looked at for each symbol")
    parser.add_argument(
        "--out", type=Path, metavar="PATH",
        help="with --explain: a picture of every layer and head (x.png, x.svg), an interactive page (x.html), or a folder for "
        "all of them",
    )  # fmt: skip


def _report_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a comparison")


def _verdict_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "predictions", nargs="+", metavar="NAME=FILE",
        help="probabilities of a model, one file per seed: npy, npz or csv, one row per image, one column per class; or a run's "
        "folder. A pattern such as 'vit=vit*.npy' reads several",
    )  # fmt: skip
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="the true classes, as numbers from 0 or as class names (default: those of the runs)",
    )
    parser.add_argument(
        "--classes",
        metavar="A,B,C",
        help="class names in the order of the columns (default: those of the csv files or runs)",
    )
    parser.add_argument(
        "--title", metavar="TEXT", help="name of the data in the verdict and the report (default: 'N test images')"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write an HTML report there")


def _bench_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", metavar="WHAT", help="time-to-accuracy: seconds until 90, 92, 93 and 94 %% validation accuracy"
    )
    parser.add_argument(
        "--runs", type=Path, metavar="DIR", help="read the finished runs at or below DIR; nothing is trained"
    )
    parser.add_argument("--models", metavar="A,B", help="names, separated by commas (default: vit,cnn,hybrid)")
    parser.add_argument("--seeds", type=whole_number, metavar="N", help="runs of each model (default: 3)")
    parser.add_argument("--epochs", type=number, metavar="N", help="length of each run (default: 5)")
    parser.add_argument("--jobs", type=whole_number, metavar="N", help="runs at a time (default: one per core)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the runs (default: runs/bench-N-epochs)")


def _data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        metavar="ACTION",
        help="check: check images or pairs for faults; fetch: find or download Fashion-MNIST",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME",
        help="a folder, table or array file of your images, as for --data of train; or fashion-mnist, cmudict or a TSV file of "
        "pairs; or three TSV files for train, dev and test (default: fashion-mnist)",
    )  # fmt: skip
    parser.add_argument(
        "--stress", metavar="WHAT", help="stress marks of cmudict: strip (39 phonemes) or keep (69) (default: strip)"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with thumbnails of what was found")
    parser.add_argument(
        "--write-clean", type=Path, metavar="FILE",
        help="write a table for --data: near-duplicates are in one group, and copies of test pictures are left out of training",
    )  # fmt: skip
    parser.add_argument(
        "--labels", action="store_true",
        help="look for wrong labels: train three small networks, each of which judges pictures that it did not see",
    )  # fmt: skip
    parser.add_argument(
        "--epochs",
        type=number,
        metavar="N",
        help="with --labels: length of each training (default: 3 to 40, depending on the data)",
    )
    parser.add_argument(
        "--from", dest="run", type=Path, metavar="RUN",
        help="look for wrong labels with the predictions of a finished run or comparison, without training; for a comparison, "
        "also show the effect of near-duplicates of test pictures",
    )  # fmt: skip


COMMANDS = {
    "compare": Command(
        call=run.compare,
        help="train several models under one protocol; table, verdict and report.html",
        description="Train every candidate with every seed and the same budget. Print a table and a verdict and write\n"
        "report.html. Stop with Ctrl-C at any time. The same command continues and skips finished runs.",
        epilog="presets:\n  quick     3 seeds x 70 s each: six minutes on two cores, a first look\n"
        "  standard  3 seeds x 5 epochs: about an hour on two cores with bf16\n  full      5 seeds x 20 epochs: a night\n\n"
        "examples:\n  fittingroom compare --preset quick\n"
        "  fittingroom compare --models vit,vit@patch_size=7,cnn --seeds 3 --budget 10m --out runs/mine\n"
        "  fittingroom compare --data pictures/ --epochs 10\n"
        "  fittingroom compare --data pictures/ --models cnn,efficientnet_lite0+probe --budget 5m\n"
        "  fittingroom compare --models cnn --train-sizes 1000,10000\n"
        "  fittingroom compare --data cmudict --models transformer,recurrent --seeds 3 --budget 20m",
        options=(
            _compare_options,
            add_pairs,
            add_pictures,
            add_length,
            add_set,
            add_plan,
            add_data_dir,
            add_checkpoint_seconds,
            add_loggers,
            add_quiet,
        ),
        interrupted="finished runs and the last checkpoints are kept; repeat the command to continue",
    ),
    "train": Command(
        call=run.train,
        help="train one model; weights, metrics and predictions in a run folder",
        description="Train one model with its family's recipe and evaluate its last epoch (with --early-stopping its best).\n"
        "Stop or kill it at any time. The same command with --resume ends with exactly the same weights.",
        epilog="examples:\n  fittingroom train cnn --epochs 5\n  fittingroom train cnn --recipe cnn_20\n"
        "  fittingroom train vit --budget 10m --seed 1\n"
        "  fittingroom train vit --epochs 5 --set depth=6 --set optim.muon_lr=0.01\n"
        "  fittingroom train cnn --data pictures/ --image-size 48 --group 'patient[0-9]+'\n"
        "  fittingroom train transformer --data cmudict --budget 20m\n"
        "  fittingroom train recurrent --train a.tsv --dev b.tsv --test c.tsv --epochs 30",
        options=(
            _model,
            add_pairs,
            add_pictures,
            add_length,
            _train_options,
            add_set,
            add_plan,
            add_data_dir,
            add_checkpoint_seconds,
            add_loggers,
            add_quiet,
        ),
        interrupted="the last checkpoint, if there was one, is kept; repeat the command with --resume to continue",
    ),
    "evaluate": Command(
        call=run.evaluate,
        help="score a finished run on its validation or test part",
        description="Load the weights of a run and score them. Every read of the test part is logged in the run's state.json\n"
        "(for included networks: in the cache, under fittingroom/test-reads).",
        epilog="examples:\n  fittingroom evaluate hybrid\n  fittingroom evaluate transformer\n"
        "  fittingroom evaluate runs/cnn-5-epochs-seed0 --split test",
        options=(_evaluate_options, add_moved_data, add_data_dir),
    ),
    "explain": Command(
        call=explain,
        help="draw what networks look at, and test whether the pictures mean anything",
        description="Draw where networks look: maps for the same images, heads, rollout, positions, filters. The default images\n"
        "are the first of each class (of at most 20). The numbers are in explain.json.",
        epilog="examples:\n  fittingroom explain\n  fittingroom explain vit --index 12\n"
        "  fittingroom explain vit cnn --image shoe.jpg\n  fittingroom explain hybrid --mistakes 16 --method rollout\n"
        "  fittingroom explain runs/vit-5-epochs-seed0 --disagreements 16 --faithfulness 200",
        options=(_explain_options, add_moved_data, add_data_dir),
    ),
    "predict": Command(
        call=predict,
        help="classify your pictures with a trained network",
        description="Classify picture files and all pictures in folders, in the order given. Each picture is turned upright and\n"
        "resized as the training pictures were. Files that cannot be read are listed at the end; the exit code is then 1.",
        epilog="examples:\n  fittingroom predict cnn shoe.jpg\n"
        "  fittingroom predict runs/cnn-5-epochs-seed0 photos --csv > answers.csv\n"
        "  find photos -name '*.png' -print0 | fittingroom predict vit - --top 3\n"
        "  fittingroom predict cnn photos --none 5",
        options=(_predict_options, add_moved_data, add_data_dir),
    ),
    "pronounce": Command(
        call=pronounce,
        help="ask a sequence model how words are pronounced, and which letters it looked at",
        description="Print how a trained model pronounces words. The words need not be in the dictionary. For models trained on\n"
        "the CMU dictionary, also print the entry of each word that is there.",
        epilog="examples:\n  fittingroom pronounce transformer hello tomato\n"
        "  fittingroom pronounce transformer tomato --beam 4\n"
        "  fittingroom pronounce recurrent though through thorough --explain\n"
        "  fittingroom pronounce runs/mine phonograph --explain --out phonograph.png\n"
        "  fittingroom pronounce runs/mine though through --explain --out though.html",
        options=(_pronounce_options,),
    ),
    "report": Command(
        call=run.report,
        help="rebuild a comparison's report.html from its files",
        description="Rebuild summary.json and report.html of a comparison. This needs only its files: no images, no torch.",
        epilog="example:\n  fittingroom report runs/compare-70s",
        options=(_report_options,),
    ),
    "verdict": Command(
        call=verdict,
        help="compare models by predictions that you made with any library",
        description="Compare models by their predictions on one test set: accuracies with 95 % intervals, pairwise differences,\n"
        "and a verdict that claims no more than they allow. Needs no run folders and no torch.",
        epilog="examples:\n  fittingroom verdict --labels y.npy 'vit=vit*.npy' 'cnn=cnn*.csv'\n"
        "  fittingroom verdict --labels y.csv forest=forest.npy svm=svm.npy --classes cat,dog --out report.html\n"
        "  fittingroom verdict 'vit=runs/array/vit-*' 'cnn=runs/array/cnn-*'",
        options=(_verdict_options,),
    ),
    "bench": Command(
        call=bench.bench,
        help="measure how long training takes to reach a given accuracy",
        description="Train every model with every seed. Report the median seconds until 90, 92, 93 and 94 % validation\n"
        "accuracy, including compilation and validation. The test part stays sealed. Stop at any time. The same command\n"
        "continues.",
        epilog="examples:\n  fittingroom bench time-to-accuracy --models cnn --epochs 5\n"
        "  fittingroom bench time-to-accuracy --runs results/ladder",
        options=(_bench_options, add_data_dir, add_checkpoint_seconds, add_quiet),
        interrupted="finished runs and the last checkpoints are kept; repeat the command to continue",
    ),
    "models": Command(
        call=run.models,
        help="list the models: family, parameters, multiply-adds, source",
        description="List every model that `train` and `compare` know. Costs are for one image of 28x28 grey pixels, or\n"
        "one word of eight letters and eight phonemes. Networks of timm and Hugging Face are not listed. Name them timm:NAME or\n"
        "hf:NAME.",
    ),
    "data": Command(
        call=run.data,
        help="check your images or pairs of sequences; fetch images",
        description="check: For images, count classes and sizes, and find unreadable files, copies, near-duplicates, and\n"
        "pictures that are of one colour, very dark, very bright, blurred or of an odd size. Nothing is changed or deleted.\n"
        "The exit code is 2 if training would refuse the images. For pairs (a spelling and its pronunciations), count symbols,\n"
        "lengths and overlaps between the parts.\n"
        "fetch: Find or download Fashion-MNIST.",
        epilog="examples:\n  fittingroom data check\n  fittingroom data check pictures/ --html check.html\n"
        "  fittingroom data check pictures/ --write-clean clean.csv\n"
        "  fittingroom data check pictures/ --labels --html check.html\n"
        "  fittingroom data check cmudict --stress keep\n  fittingroom data check pairs.tsv\n"
        "  fittingroom data check train.tsv dev.tsv test.tsv",
        options=(_data_options, add_data_dir),
    ),
}
