"Check that the results folder of a fold is complete and that its numbers agree with each other, with pandas and scikit-learn only."
import argparse, json, pickle, sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from sklearn.metrics import f1_score

CLASSES = 28


def macro_f1(pred, y): return f1_score(y, pred, average='macro', zero_division=0)


def decide(probs, thresholds):
    "Called where above the threshold; where nothing is, the likeliest class"
    pred = probs > thresholds
    nothing = ~pred.any(1)
    pred[nothing, probs[nothing].argmax(1)] = True
    return pred


def read_submission(path):
    "Decisions of a submission, bool (N, 28)"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert list(table) == ['Id', 'Predicted'] and table.Id.is_unique, path
    pred = np.zeros((len(table), CLASSES), bool)
    for i, text in enumerate(table.Predicted): pred[i, [int(o) for o in text.split()]] = True
    return pred


def check(folder):
    "Yield a sentence for each thing that holds; raises `AssertionError` for what does not"
    oof = pd.read_parquet(folder/'oof.parquet')
    probs = oof[[f'p_{k}' for k in range(CLASSES)]].to_numpy()
    y = oof[[f'y_{k}' for k in range(CLASSES)]].to_numpy()
    assert oof.Id.is_unique and ((probs >= 0) & (probs <= 1)).all() and np.isin(y, (0, 1)).all()
    yield f'oof.parquet: {len(oof)} held-out images, each once'

    table = pd.read_csv(folder/'thresholds.csv', float_precision='round_trip').sort_values('class')
    thresholds = pickle.loads((folder/'thresholds.p').read_bytes())
    assert table['class'].tolist() == list(range(CLASSES)) and np.allclose(table.threshold, thresholds, atol=0, rtol=0)
    yield 'thresholds.csv and thresholds.p agree'

    config, kept = json.loads((folder/'model'/'config.json').read_text()), {o.name for o in (folder/'model').iterdir()}
    assert kept >= {'model.safetensors', 'reference.safetensors', 'README.md'} and len(config['classes']) == CLASSES, kept
    assert np.array_equal(config['thresholds'], np.clip(thresholds, -1, 2))
    yield f'model/: {len(kept)} files, with the same thresholds'

    scores = pd.read_csv(folder/'scores.csv').set_index('decision')
    for name, pred in [('probability above 0.5', probs > .5), ('thresholds, fitted and judged on the same images', decide(probs, thresholds))]:
        assert np.isclose(scores.macro_f1[name], macro_f1(pred, y), atol=1e-9), (name, scores.macro_f1[name], macro_f1(pred, y))
        yield f'{name}: macro F1 {scores.macro_f1[name]:.4f}, as scikit-learn finds from oof.parquet'
    assert ((scores.low <= scores.macro_f1) & (scores.macro_f1 <= scores.high)).all()
    dumb = scores[scores.index.str.startswith('baseline')]
    assert len(dumb) == 2
    yield f'{len(scores)} scores, each within its interval; baselines reach at most {dumb.macro_f1.max():.3f}'

    history = pd.read_csv(folder/'history.csv')
    logs = sorted(o.name for o in (folder/'training_logs').iterdir())
    assert logs == sorted(f'{part}_{e:03d}.csv' for part in ('train', 'valid') for e in history.epoch), logs
    last = pd.read_csv(folder/'training_logs'/logs[-1])
    assert set(last.Id) == set(oof.Id)
    if 'focal' in last: assert np.isclose(last.focal.mean(), history.valid_focal.iloc[-1], atol=1e-4)
    yield f'history.csv: {len(history)} epochs, with the logs of each'
    assert list((folder/'model_checkpoints').glob('best.*')) and list(folder.rglob('events.out.tfevents*'))
    yield 'the best weights and the TensorBoard events are there'

    config = folder/'config.yml'
    assert {'variables', 'resources'} <= {k.value for k, _ in yaml.compose(config.read_text()).value}
    report = (folder/'report.html').read_text()
    assert f"{scores.macro_f1['probability above 0.5']:.3f}" in report and len(report) < 10e6
    yield f'config.yml and report.html ({len(report) / 1e3:.0f} kB) are there; the report shows the same score'

    names = ['submission.csv', 'submission_optimal_threshold.csv', 'submission_class_ratio.csv']
    there = [o for o in names if (folder/o).exists()]
    assert there in ([], names), there
    if there:
        sizes = {len(read_submission(folder/o)) for o in names}
        assert len(sizes) == 1
        yield f'three submissions of {sizes.pop()} test images'
    left = [o for o in folder.rglob('.*')]
    assert not left, left
    yield 'no unfinished files are left'


def beats_baselines(folder):
    "Whether the interval at 0.5 lies above those of the baselines"
    scores = pd.read_csv(folder/'scores.csv').set_index('decision')
    return scores.low['probability above 0.5'] > scores.high[scores.index.str.startswith('baseline')].max()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path, help='<out>/<run>/fold_<k>')
    parser.add_argument('--beats-baselines', action='store_true', help='also ask that the interval at 0.5 lies above those of the baselines')
    args = parser.parse_args()
    found = list(check(args.folder))
    print(*found, sep='\n')
    if args.beats_baselines and not beats_baselines(args.folder): sys.exit('the interval of the model does not lie above those of the baselines')
    print(f'{len(found)} checks of {args.folder} hold')


if __name__ == '__main__': main()
