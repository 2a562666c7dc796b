"""Score a finished run of a sequence model again from its folder: what `fittingroom evaluate transformer` does."""

from pathlib import Path
from typing import Any, Literal

from fittingroom.core.rundir import read_json
from fittingroom.data.seq2seq.batches import encode
from fittingroom.data.seq2seq.load import check_digest, load_pair_splits
from fittingroom.evaluation.generate import generate, judge, most_symbols, num_unknown
from fittingroom.evaluation.saved import load_sequence_run, needs
from fittingroom.evaluation.score import log_test_read


def score_pair_run(folder: Path, split: Literal["val", "test"]) -> dict[str, Any]:
    """Error rates of the run's weights, greedily. A read of the test part is logged in the run's state first.

    Raises FittingRoomError where the pairs are no longer those that the run began with.
    """
    model, source, target, config = load_sequence_run(folder)
    state = read_json(folder / "state.json")
    needs(config, ("data", "dev", "test", "digest", "keep_stress"), folder)
    files = (config["data"], config["dev"], config["test"])
    check_digest(config["digest"], *files)
    splits = load_pair_splits(*files, keep_stress=config["keep_stress"])
    pairs = splits.val if split == "val" else splits.open_test(lambda why: log_test_read(folder, why), "evaluate")
    answers = generate(model, encode(pairs, source, target), most_symbols(splits.train, config["model_config"]))
    rates = judge(pairs, list(range(len(pairs))), answers, target)
    known = ("run", "model", "seed", "epochs", "train_seconds", "pairs_per_second", "peak_memory_bytes")
    return {
        **{key: state.get(key) for key in known},
        "split": split,
        "num_words": len(pairs),
        "num_unknown": num_unknown(pairs, source, target),
        f"{split}_word_error_rate": rates.word_error_rate,
        f"{split}_phoneme_error_rate": rates.phoneme_error_rate,
    }
