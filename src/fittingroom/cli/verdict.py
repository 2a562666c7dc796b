"""`fittingroom verdict`: compare models by predictions in files."""

import argparse
import json

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_writable


def verdict(args: argparse.Namespace) -> int:
    """`fittingroom verdict`"""
    from fittingroom.api.prediction_files import ENDINGS, read_prediction_files
    from fittingroom.api.verdict import verdict as judge

    if args.out is not None:
        if args.out.suffix.lower() in ENDINGS:
            raise FittingRoomError(
                f"--out {args.out} would overwrite predictions: the report is a page, such as report.html"
            )
        check_writable(args.out, "--out")
    files = read_prediction_files(args.predictions, args.labels)
    names = tuple(name.strip() for name in args.classes.split(",")) if args.classes else files.class_names
    if files.class_names and names != files.class_names and sorted(names or ()) == sorted(files.class_names):
        raise FittingRoomError(
            f"--classes has the classes in another order than the files ({', '.join(files.class_names)}): omit --classes"
        )
    found = judge(files.probs, files.labels, class_names=names, groups=files.groups, title=args.title)
    page = found.report(args.out) if args.out is not None else None
    if args.json:
        from fittingroom.core.config import to_dict

        values = {**to_dict(found.summary.verdict), "notes": found.notes}
        rows = [{"model": each.name, **to_dict(each.evals["test"]["accuracy"])} for each in found.summary.candidates]
        contrasts = [to_dict(each) for each in found.contrasts]
        print(json.dumps({**values, "models": rows, "contrasts": contrasts, "report": page and str(page)}))
    else:
        from fittingroom.cli.run import print_summary

        print_summary(found.summary, page)
    return 0
