"""The end of a run: write weights, final scores and predictions to the run folder. This is the only read of the test split."""

from dataclasses import replace
from pathlib import Path

from fittingroom.core.records import RunState, read_state, write_state
from fittingroom.evaluation.evaluators import evaluate
from fittingroom.evaluation.read_log import log_test_read
from fittingroom.evaluation.weights import save_weights
from fittingroom.tasks.base import Placed
from fittingroom.training.environment import peak_memory_bytes
from fittingroom.training.metrics_file import MetricsFile
from fittingroom.training.module import TrainingModule


def write_results(
    module: TrainingModule, folder: Path, state: RunState, metrics: MetricsFile, *, open_test: bool = True
) -> RunState:
    """Evaluate the final weights on validation and test, write everything, and return the finished state.

    Without `open_test` the test split is not read: the folder gets no test scores and no test predictions. Scores are always
    computed in fp32, whatever the plan, so that anyone who loads the saved weights gets the same scores.
    """
    task, steps = module.task, module.global_step
    state = replace(
        state,
        step=steps,
        steps=steps,
        best_step=module.best_step,
        epochs=round(steps / task.batches.steps_per_epoch, 4),
        train_seconds=round(module.seconds, 3),
        items_per_second=round(steps * task.batches.mean_batch_size / module.step_seconds, 1),
    )
    module.eval()
    write_state(folder, state)
    save_weights(module.state.final_model, folder)  # before scoring, which may fail
    task.write_extra_files(folder)
    plan = module.plan
    module.to(plan.device)
    placed = Placed(model=module.state.final_model, device=plan.device, channels_last=plan.channels_last)
    evaluated = evaluate(
        task.predictor(placed),
        task.evaluators(),
        task.scoring.scores,
        log=lambda why: log_test_read(folder, "final epoch"),
        open_sealed=open_test,
    )
    task.scoring.save(folder, {each.name: each.predictions for each in evaluated})
    evals = {each.name: each.scores for each in evaluated}
    val_loss = task.val_loss(placed, evaluated[0].predictions)
    state = replace(
        state,
        evals=evals,
        extras=task.extras(evaluated),
        peak_memory_bytes=peak_memory_bytes(plan),
        test_reads=read_state(folder).test_reads,
        status="finished",
    )
    assert state.train_seconds is not None
    last = {metric.column: evals["val"][metric.name] for metric in task.scoring.metrics}
    if module.best_step in (None, steps):
        metrics.add(steps, state.train_seconds, **last, val_loss=val_loss)
    else:
        metrics.correct(module.best_step, **last, val_loss=val_loss)
    write_state(folder, state)
    return state
