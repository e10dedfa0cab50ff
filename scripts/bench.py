#!/usr/bin/env python
"""How fast and how exact the parts are, beside a peer in the same run.

  python scripts/bench.py data               reading, checking and storing images
  python scripts/bench.py dedup --quick      near-duplicates, within three minutes on two cores
  python scripts/bench.py split --labels DIR folds; DIR holds real label tables (Id,Target), else one is made up
  python scripts/bench.py train              the parts of a training, and the whole from disk
  python scripts/bench.py learn --work DIR   does it learn? DIR keeps what is trained, so that another call goes on
  python scripts/bench.py retrieve           the nearest images by their embeddings
  python scripts/bench.py predict            one's own images, from files to a table
  python scripts/bench.py dedup --json FILE  the rows in a file as well

Peers that are not needed otherwise: pip install 'hpa_nb[bench]'. Needs neither Jupyter nor nbdev.
"""
import argparse, hashlib, importlib.util, json, logging, os, re, shutil, subprocess, sys, time
from contextlib import redirect_stdout
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # works without an installation
os.environ.setdefault('NO_ALBUMENTATIONS_UPDATE', '1')
DEVICE = f'{os.cpu_count()} CPU cores'  # and the GPU, where a bench uses it
BENCHES = {}


def bench(function):
    "A function that takes the arguments and yields rows: what, ours, peer, peer's name, unit"
    BENCHES[function.__name__] = function
    return function


def seconds(function, repeat=3):
    "The best of some calls: what the machine can do when nothing else disturbs it"
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def installed(name):
    "Whether a peer is there; says so if not"
    if importlib.util.find_spec(name): return True
    print(f'  ({name} is not installed, its rows are left out)')
    return False


# ---------------------------------------------------------------------------------------------- images and store

def draw_files(folder, n, size, kind, image_id):
    "`n` synthetic images: eight drawn ones, shifted and turned"
    from hpa_nb.images import write_rgby
    from hpa_nb.synth import draw_image, plan_dataset
    drawn = [draw_image(o, size) for o in plan_dataset(8, 0)[:8].to_dict('records')]
    ids = [image_id(i) for i in range(n)]
    for i, name in enumerate(ids):
        write_rgby(folder, name, np.ascontiguousarray(np.roll(np.rot90(drawn[i % 8], i // 8), 7 * i, (0, 1))), kind)
    return ids


def decode_all(files):
    "The least that reading costs: OpenCV, a thread a core"
    import cv2
    from concurrent.futures import ThreadPoolExecutor
    def decode(path): return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED).shape
    with ThreadPoolExecutor(os.cpu_count()) as pool: list(pool.map(decode, files))


def hash_one_by_one(images):
    "Hashes as imagehash gives them, a thread a core"
    import imagehash
    from concurrent.futures import ThreadPoolExecutor
    from PIL import Image
    def of(image): return [imagehash.phash(Image.fromarray(np.ascontiguousarray(image[..., c]))) for c in range(4)]
    with ThreadPoolExecutor(os.cpu_count()) as pool: return list(pool.map(of, images))


@bench
def data(args):
    "Reading, checking and storing images"
    sources = {'512 px PNG': (512, 'png', '{}'.format, 100 if args.quick else 400),
               '2048 px JPEG': (2048, 'jpeg', '1_1_A1_{}'.format, 12 if args.quick else 40)}
    for name, source in sources.items():
        with TemporaryDirectory() as tmp: yield from bench_files(Path(tmp), name, *source)


def bench_files(tmp, name, size, kind, image_id, n):
    from hpa_nb.dedup import build_hashed_store, phash
    from hpa_nb.images import check_images
    from hpa_nb.store import build_store
    ids, out = draw_files(tmp/'files', n, size, kind, image_id), (tmp/f'store_{i}' for i in count())
    files = sorted((tmp/'files').iterdir())
    decoding = n / seconds(lambda: decode_all(files))
    store = build_store(tmp/'files', ids, tmp/'store', size=512)
    hashing = n / seconds(lambda: hash_one_by_one(store), 1)
    rate = 'images/s'
    yield f'check_images, {name}', n / seconds(lambda: check_images(tmp/'files')), decoding, 'OpenCV decoding alone', rate
    yield (f'build_store at 512 px, {name}', n / seconds(lambda: build_store(tmp/'files', ids, next(out), size=512)),
           decoding, 'OpenCV decoding alone', rate)
    yield ('the same with hashes of four channels', n / seconds(lambda: build_hashed_store(tmp/'files', ids, next(out), size=512)),
           1 / (1 / decoding + 1 / hashing), 'decoding, then imagehash', rate)
    if size > 512: return
    order = np.random.default_rng(0).permutation(n)
    four = [files[4 * i:4 * i + 4] for i in range(n)]
    import cv2
    def from_files():
        for i in order: np.stack([cv2.imread(str(o), cv2.IMREAD_UNCHANGED) for o in four[i]], -1)
    def from_store():
        for i in order: store[i]
    yield ('read an image at random', 1e3 / n * seconds(from_store), 1e3 / n * seconds(from_files), 'four PNGs with OpenCV', 'ms')
    import imagehash
    from PIL import Image
    planes = [Image.fromarray(o) for o in np.moveaxis(store[0], -1, 0).copy()]
    yield ('hash an image of four channels', 1e3 / 20 * seconds(lambda: [phash(store[0]) for _ in range(20)]),
           1e3 / 20 * seconds(lambda: [imagehash.phash(o) for _ in range(20) for o in planes]), 'imagehash', 'ms')


# ---------------------------------------------------------------------------------------------- near-duplicates

def plant(hashes, rng, share=.01, bits=4):
    "The last ones become copies of others with up to `bits` bits flipped"
    m = int(len(hashes) * share)
    source = rng.integers(0, len(hashes) - m, m)
    flips = np.zeros(m, np.uint64)
    for _ in range(bits): flips |= np.uint64(1) << rng.integers(0, 64, m).astype(np.uint64)
    hashes[len(hashes) - m:] = hashes[source] ^ flips[(slice(None),) + (None,) * (hashes.ndim - 1)]
    return hashes


def uniform_hashes(n, channels=0, seed=0):
    rng = np.random.default_rng(seed)
    return plant(rng.integers(0, 1 << 64, (n, channels) if channels else n, np.uint64), rng)


GREEN = slice(1, 2)  # the channel of the protein


def rendered_coefficients(fields, seed=0):
    "What pHash looks at in synthetic images, float32 (fields, 4, 64): the low frequencies of each channel"
    import cv2
    from joblib import Parallel, delayed
    from scipy.fft import dctn
    from hpa_nb.synth import draw_image, plan_dataset
    rows = plan_dataset(fields, seed)[:fields].to_dict('records')
    images = Parallel(-1)(delayed(draw_image)(o, 128) for o in rows)
    small = np.stack([cv2.resize(o, (32, 32), interpolation=cv2.INTER_AREA) for o in images]).astype(np.float32)
    return dctn(small, axes=(1, 2))[:, :8, :8].reshape(len(images), 64, 4).transpose(0, 2, 1)


def rendered_hashes(n, coefficients, seed=0):
    "Hashes (n, channels) modelled on rendered images: the frequencies of one of them, and as much chance around it"
    fields, channels, _ = coefficients.shape
    rng, res, flat = np.random.default_rng(seed), np.empty((n, channels), np.uint64), coefficients.reshape(fields, -1)
    spread = np.linalg.cholesky(np.cov(flat.T) + 1e-3 * np.eye(flat.shape[1])).astype(np.float32)
    for low in range(0, n, 50_000):
        m = min(50_000, n - low)
        around = (rng.standard_normal((m, flat.shape[1]), np.float32) @ spread.T).reshape(m, channels, 64)
        values = coefficients[rng.integers(0, fields, m)] + around
        ranked = np.sort(values, axis=2)
        bits = values > ranked[..., 31:33].mean(2, keepdims=True)  # the median
        res[low:low + m] = np.packbits(bits, axis=2).view('>u8')[..., 0]
    return plant(res, rng)


def with_faiss(hashes, distance):
    "All pairs by an exhaustive search, which is exact"
    import faiss
    faiss.omp_set_num_threads(os.cpu_count())
    codes = np.ascontiguousarray(hashes).view(np.uint8).reshape(len(hashes), 8)
    index = faiss.IndexBinaryFlat(64)
    index.add(codes)
    return (len(index.range_search(codes, distance + 1)[1]) - len(hashes)) // 2  # faiss's radius is strict


def with_imagededup(hashes, distance):
    from imagededup.methods import PHash
    found = PHash(verbose=False).find_duplicates(encoding_map={str(i): f'{o:016x}' for i, o in enumerate(hashes)},
                                                 max_distance_threshold=distance)
    return sum(map(len, found.values())) // 2


def in_process(*what):
    "Seconds, peak memory in GB and pairs of a search in a process of its own"
    call = [sys.executable, __file__, 'dedup', '--one', *map(str, what)]
    return json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def one_search(kind, n, channels, coefficients):
    "The search of `in_process`"
    from hpa_nb.dedup import near_duplicate_pairs
    n, channels = int(n), int(channels)
    hashes = uniform_hashes(n, channels) if kind == 'uniform' else \
        rendered_hashes(n, np.load(coefficients)[:, GREEN if channels == 1 else slice(None)])
    start = time.perf_counter()
    pairs = near_duplicate_pairs(hashes, 4)
    took = time.perf_counter() - start
    peak = int(re.search(r'VmHWM:\s+(\d+) kB', Path('/proc/self/status').read_text())[1])  # ru_maxrss would tell the parent's
    print(json.dumps([took, peak / 2 ** 20, len(pairs)]))


@bench
def dedup(args):
    "Near-duplicate pairs among hashes; rendered: modelled on synthetic images"
    if args.one: return one_search(*args.one)
    logging.disable(logging.INFO)  # imagededup's
    return compare_searches(args)


def compare_searches(args):
    from hpa_nb.dedup import near_duplicate_pairs
    n, coefficients = 105_678, rendered_coefficients(400 if args.quick else 2000)
    sets = {'uniform': uniform_hashes(n), 'rendered': rendered_hashes(n, coefficients[:, GREEN])[:, 0]}
    for kind, hashes in sets.items():
        if installed('imagededup'):
            some = hashes[-(3000 if args.quick else 10_000):]
            check_pairs(with_imagededup(some, 4), len(near_duplicate_pairs(some, 4)))
            yield (f'pairs within 4 of {len(some):,} {kind} hashes', seconds(lambda: near_duplicate_pairs(some, 4)),
                   seconds(lambda: with_imagededup(some, 4), 1), 'imagededup', 's')
        for distance in (4, 8, 12):
            faiss = installed('faiss') and not (args.quick and distance > 4)
            if faiss: check_pairs(with_faiss(hashes, distance), len(near_duplicate_pairs(hashes, distance)))
            yield (f'pairs within {distance} of {n:,} {kind} hashes', seconds(lambda: near_duplicate_pairs(hashes, distance)),
                   seconds(lambda: with_faiss(hashes, distance), 1) if faiss else None, 'faiss IndexBinaryFlat', 's')
    with TemporaryDirectory() as tmp:
        np.save(saved := Path(tmp)/'coefficients.npy', coefficients)
        for size in (10 ** 6,) if args.quick else (10 ** 6, 10 ** 7):
            for kind, channels in (('uniform', 1), ('rendered', 1), ('rendered', 4)):
                took, memory, found = in_process(kind, size, channels, saved)
                what = f'{size:,} {kind} hashes' + (f' of {channels} channels' if channels > 1 else '')
                yield f'pairs within 4 of {what} ({found:,})', took, None, '', 's'
                yield 'peak memory of that process', memory, None, '', 'GB'


def check_pairs(theirs, ours):
    "A peer that finds something else is no peer"
    if theirs != ours: raise SystemExit(f'the peer found {theirs} pairs, we {ours}')


# ---------------------------------------------------------------------------------------------- folds

def made_up_labels(seed=0):
    "Ids and targets like those of Kaggle and HPAv18 together: antibodies with one label set each, and single images"
    from hpa_nb.core import KAGGLE_COUNTS, KAGGLE_TRAIN_IMAGES
    rng, share = np.random.default_rng(seed), np.array(KAGGLE_COUNTS) / KAGGLE_TRAIN_IMAGES
    def label_sets(n):
        sets = rng.random((n, len(share))) < share
        sets[np.arange(n), rng.choice(len(share), n, p=share / share.sum())] = True
        return sets.astype(np.uint8)
    size = 1 + rng.poisson(74_606 / 12_815 - 1, 12_815)
    antibody = np.repeat(np.arange(12_815), size)
    ids = [f'{100 + a}_{100 + a}_A{i // 2}_{i}' for i, a in enumerate(antibody)] + [f'kaggle-{i}' for i in range(31_072)]
    return ids, np.concatenate([label_sets(12_815)[antibody], label_sets(31_072)])


def real_labels(folder):
    "Ids and targets of all label tables in a folder"
    import pandas as pd
    from hpa_nb.core import one_hot
    from hpa_nb.data import read_labels
    table = pd.concat([read_labels(o) for o in sorted(Path(folder).glob('*.csv'))])
    return table.Id.tolist(), one_hot(table.Target)


def over_groups(targets, groups, n_splits=5, seed=0):
    "Iterative stratification of the groups by the labels that they have"
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
    number = np.unique(groups, return_inverse=True)[1]
    sets = np.zeros((number.max() + 1, targets.shape[1]), np.uint8)
    np.maximum.at(sets, number, targets)
    folds = np.zeros(len(sets), np.int64)
    for k, (_, rows) in enumerate(MultilabelStratifiedKFold(n_splits, shuffle=True, random_state=seed).split(sets, sets)):
        folds[rows] = k
    return folds[number]


def deviations(folds, targets):
    "How far the worst fold is off its share, %: classes of 300 images and more, rarer ones, sizes"
    from hpa_nb.splitting import fold_table
    table = fold_table(folds, targets)
    size = np.bincount(folds)
    common = table.images >= 300
    return [table['off by %'][common].max(), table['off by %'][~common & (table.images > 0)].max(),
            100 * np.abs(size / size.mean() - 1).max()]


def peers_of_folds(quick):
    "Name -> function of targets and groups that gives folds"
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
    def numbered(splits, n):
        folds = np.zeros(n, np.int64)
        for k, (_, rows) in enumerate(splits): folds[rows] = k
        return folds
    def rarest(y): return np.where(y, y.sum(0), len(y)).argmin(1)  # of an image: the one class that it may have
    peers = {'iterative-stratification over groups': over_groups,
             'GroupKFold': lambda y, g: numbered(GroupKFold(5).split(y, groups=g), len(y))}
    if quick: return peers
    return peers | {'StratifiedGroupKFold': lambda y, g: numbered(
        StratifiedGroupKFold(5, shuffle=True, random_state=0).split(y, rarest(y), g), len(y))}


@bench
def split(args):
    "Folds of whole antibodies"
    from hpa_nb.images import image_sources
    from hpa_nb.splitting import antibody_groups, audit_leaks, make_folds, well_groups
    ids, targets = real_labels(args.labels) if args.labels else made_up_labels()
    groups, sources, seeds = antibody_groups(ids), image_sources(ids), range(3 if args.quick else 10)
    n = f'{len(ids):,} {"real" if args.labels else "made-up"} labels'
    def deal(seed=0): return make_folds(targets, groups, seed=seed, sources=sources)
    took, dealt = seconds(deal), [deal(o) for o in seeds]
    worst = np.max([deviations(o, targets) for o in dealt], 0)
    torn = sum(audit_leaks(o, groups, targets).shared_groups for o in dealt)
    for name, peer in peers_of_folds(args.quick).items():
        theirs = peer(targets, groups)
        yield f'five folds of {n}', took, seconds(lambda: peer(targets, groups), 1), name, 's'
        for what, ours, other in zip(('classes of 300 images and more', 'rarer classes', 'sizes'), worst, deviations(theirs, targets)):
            yield f'worst fold off its share, {what} (worst of {len(seeds)} seeds)', ours, other, name, '%'
        yield f'groups in two folds (all {len(seeds)} seeds)', torn, audit_leaks(theirs, groups, targets).shared_groups, name, ''
    hashes, wells = uniform_hashes(len(ids), 4), well_groups(ids)
    yield ('audit of them, with hashes of four channels', seconds(lambda: audit_leaks(dealt[0], groups, targets, hashes, wells=wells,
                                                                                       sources=sources)), None, '', 's')


# ---------------------------------------------------------------------------------------------- training

class Images:
    "Synthetic images in a file that is mapped, as a store has them: eight drawn ones, shifted and turned"
    def __init__(self, folder, n, size):
        import cv2
        from hpa_nb.synth import draw_image, plan_dataset
        drawn = [cv2.resize(draw_image(o, 128), (size, size)) for o in plan_dataset(8, 0)[:8].to_dict('records')]
        self.ids = np.array([f'image-{i}' for i in range(n)])
        self.pixels = np.lib.format.open_memmap(f'{folder}/{n}-{size}.npy', 'w+', np.uint8, (n, size, size, 4))
        for i in range(n): self.pixels[i] = np.roll(np.rot90(drawn[i % 8], i // 8), 7 * i, (0, 1))
        self.targets = (np.random.default_rng(0).random((n, 28)) < .06).astype(np.uint8)

    def __len__(self): return len(self.ids)
    def __getitem__(self, i): return self.pixels[i]


def device():
    import torch
    return torch.device('cuda' if torch.cuda.is_available() else 'cpu')


def finish(result=None):
    "Wait until the GPU has done what it was told"
    import torch
    if torch.cuda.is_available(): torch.cuda.synchronize()
    return result


def images_loader(images, batch_size, transform=None, workers=0):
    "Whole batches in random order"
    from hpa_nb.data import HPADataset, make_loader
    return make_loader(HPADataset(images, images.targets, transform=transform), batch_size, shuffle=True, drop_last=True, workers=workers)


def ragged_loader(images, batch_size, workers):
    "In order, and with a smaller last batch"
    from hpa_nb.data import HPADataset, make_loader
    return make_loader(HPADataset(images, images.targets, np.arange(len(images) - batch_size // 2)), batch_size, workers=workers)


def pass_over(loader, transform=None):
    "Milliseconds a sample for all of a loader's batches, on the device and transformed there; the second pass counts"
    for _ in range(2):
        start, n = time.perf_counter(), 0
        for images, *_ in loader:
            images = images.to(device(), non_blocking=True)
            n += len(images if transform is None else transform(images))
        finish()
    return 1e3 * (time.perf_counter() - start) / n


VIEWS = dict(gain=.2, elastic=.01, scale=.1, rotate=15.)  # those of densenet121.yml


def data_path(folder, size, n, workers):
    "What a training sample costs outside the network"
    from hpa_nb.batch_augment import create_batch_transform
    crop, images = size * 7 // 8, Images(folder, n, size)
    ours = create_batch_transform(crop=crop, **VIEWS)
    batch = next(iter(images_loader(images, 32)))[0].to(device())
    one_by_one = None
    if installed('albumentations'):
        from hpa_nb.augment import create_transform
        one_by_one = create_transform(crop=crop, **VIEWS)
    what, peer = f'{size} px, crop {crop}, {workers} workers', 'albumentations in the loader'
    yield f'loader alone, {what}', pass_over(images_loader(images, 32, workers=workers)), None, '', 'ms/img'
    took = 1e3 * seconds(lambda: finish(ours(batch))) / len(batch)
    theirs = one_by_one and 1e3 * seconds(lambda: [one_by_one(images[i]) for i in range(32)]) / 32
    yield f'augmentation alone, {size} px, crop {crop}', took, theirs, peer and 'albumentations, one core', 'ms/img'
    took = pass_over(images_loader(images, 32, workers=workers), ours)
    theirs = one_by_one and pass_over(images_loader(images, 32, one_by_one, workers))
    yield f'a sample outside the network, {what}', took, theirs, peer, 'ms/img'


def network(backbone, **kw):
    import torch
    from hpa_nb.model import create_model
    torch.manual_seed(0)
    return create_model(backbone, pretrained=False, prior=.06, **kw).to(device())


def steps(model, x, y, n, bf16=False, compiled=False, fused=True):
    "Images a second of `n` steps on one batch, the loss before each, peak memory in GB (0 on a CPU)"
    import torch
    from hpa_nb.losses import create_loss
    loss, optimizer = create_loss({'focal': 10., 'soft_f1': 1.}), torch.optim.AdamW(model.parameters(), 1e-4, fused=fused)
    forward, losses = torch.compile(model, dynamic=False) if compiled else model, []
    model.train()
    if torch.cuda.is_available(): torch.cuda.reset_peak_memory_stats()
    for k in range(n + 3):
        if k == 3: finish(); start = time.perf_counter()  # the first ones are for the warm-up
        with torch.autocast(x.device.type, torch.bfloat16, bf16): logits = forward(x)
        value = loss(logits, y)
        value.backward()
        optimizer.step(); optimizer.zero_grad()
        losses.append(value.detach())
    finish()
    rate = n * len(x) / (time.perf_counter() - start)
    return rate, torch.stack(losses).tolist(), torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else 0.


def switches(backbone, size, batch_size, n):
    "Each switch of the step by itself"
    import torch
    x = torch.randint(0, 256, (batch_size, 4, size, size), dtype=torch.uint8, device=device())
    y = (torch.rand(batch_size, 28, device=device()) < .06).float()
    def run(layout=False, checkpointing=False, **kw):
        model = network(backbone, dropout=0., **({'grad_checkpointing': True} if checkpointing else {}))
        res = steps(model.channels_last() if layout else model, x, y, n, **kw)
        torch._dynamo.reset()
        return res
    plain, losses, memory = run(fused=False)
    what, gpu = f'step, {backbone}, {size} px, batch {batch_size}', device().type == 'cuda'
    variants = {'fused optimizer': {}, 'bf16': dict(bf16=True), 'bf16, channels last': dict(bf16=True, layout=True),
                'bf16, channels last, blocks computed twice': dict(bf16=True, layout=True, checkpointing=True)}
    if gpu: variants |= {'bf16, channels last, compiled': dict(bf16=True, layout=True, compiled=True)}
    for name, kw in variants.items():
        rate, found, used = run(**kw)
        yield f'{what}: {name}', rate, plain, 'float32', 'img/s'
        if gpu: yield f'{what}: {name}, memory', used, memory, 'float32', 'GB'
    yield f'{what}: loss of the last one, off that of float32, over {len(losses)} steps', 100 * max(abs(a / b - 1) for a, b in zip(found, losses)), None, '', '%'


def from_disk(folder, backbone, size, batch_size, n, workers):
    "The whole: from the file of images to new weights, by the Learner; and as in 2018"
    import torch
    from torch import nn
    from hpa_nb.batch_augment import create_batch_transform
    from hpa_nb.callbacks import Augment, Times
    from hpa_nb.losses import create_loss
    from hpa_nb.training import Callback, ClipGradients, Learner, StopOnNaN
    gpu, crop, images = device().type == 'cuda', size * 7 // 8, Images(folder, n, size)

    class Graphs(Callback):
        "Counts what was compiled by the end of each epoch"
        seen = ()
        def after_epoch(self, learner): self.seen = [*self.seen, torch._dynamo.utils.counters['stats']['unique_graphs']]

    class Plain(nn.Module):
        "A network that the Learner knows nothing of"
        def __init__(self, net): super().__init__(); self.net = net
        def forward(self, x): return self.net(x)

    def run(model, transform, callbacks, **kw):
        center = create_batch_transform(crop=crop, d4=False, gain=0., elastic=0.)
        loaders = images_loader(images, batch_size, transform, workers), ragged_loader(images, batch_size, workers)
        learner = Learner(model, *loaders, create_loss({'focal': 10., 'soft_f1': 1.}), None,
                          [*callbacks, StopOnNaN(), ClipGradients(5.), Times(), graphs := Graphs()], **kw)
        learner.callbacks.append(Augment(None, center))
        learner.fit(3, 1e-4)
        if len(set(graphs.seen)) > 1: raise AssertionError(f'{graphs.seen} graphs: something was compiled again after the first epoch')
        return learner.times.iloc[-1]

    ours = run(network(backbone), None, [Augment(create_batch_transform(crop=crop, **VIEWS))], compile=gpu)
    theirs = None
    if installed('albumentations'):
        from hpa_nb.augment import create_transform
        tf32, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
        theirs = run(Plain(network(backbone)), create_transform(crop=crop, **VIEWS), [], mixed_precision='no')
        torch.backends.cudnn.allow_tf32 = tf32
    x = torch.randint(0, 256, (batch_size, 4, crop, crop), dtype=torch.uint8, device=device())
    y = (torch.rand(batch_size, 28, device=device()) < .06).float()
    model = network(backbone)
    alone = steps(model.channels_last() if gpu else model, x, y, 20, bf16=gpu, compiled=gpu)[0]
    what, peer = f'from disk, {backbone}, {size} px, crop {crop}, batch {batch_size}, {workers} workers', 'as in 2018: float32, albumentations'
    yield what, ours.images_per_second, None if theirs is None else theirs.images_per_second, peer, 'img/s'
    yield f'{what}: short of its step alone', 100 * (1 - ours.images_per_second / alone), None, '', '%'
    yield f'{what}: time spent waiting for the loader', 100 * ours.waiting, None if theirs is None else 100 * theirs.waiting, peer, '%'
    yield f'{what}: peak memory', ours.peak_gb, None if theirs is None else theirs.peak_gb, peer, 'GB'


def five_crops(backbone, size, batch_size):
    "Inference on whole images by five crops"
    from hpa_nb.tta import predict_tta
    with TemporaryDirectory() as folder:
        loader = images_loader(Images(folder, 4 * batch_size, size), batch_size)
        model = network(backbone, crop_size=size * 7 // 8)
        predict_tta(model, loader)
        took = seconds(lambda: finish(predict_tta(model, loader)), 2)
    yield f'five crops, {backbone}, {size} px', 5 * 4 * batch_size / took, None, '', 'crops/s'


@bench
def train(args):
    "Training: the parts of a step, and the whole from disk"
    gpu = device().type == 'cuda'
    cores = os.cpu_count() or 1
    sizes = [('densenet121', 512, 96, 1920), ('densenet121', 1024, 24, 480), ('resnet18', 512, 96, 1920)] if gpu else (
        [('test_resnet', 128, 16, 320)] if args.quick else [('test_resnet', 128, 16, 640), ('densenet121', 128, 16, 96)])
    with TemporaryDirectory() as folder:
        for workers in (0, min(8, cores)): yield from data_path(folder, 512, 128 if args.quick else 512, workers)
        for backbone, size, batch_size, n in sizes:
            if gpu or not args.quick: yield from switches(backbone, size * 7 // 8, batch_size, 20 if gpu else 3)
            yield from from_disk(folder, backbone, size, batch_size, n, min(8, cores) if gpu else 0)
            yield from five_crops(backbone, size, batch_size)


# ---------------------------------------------------------------------------------------------- does it learn?

# What both recipes are given alike: the same drawn images, the number of images seen, the network, the learning rates.
# Left to the recipes: how large the network sees the images, augmentation, loss, head, and how thresholds are chosen. On a
# CPU all widths are a quarter of the recipes'; the network is a small one and learns at the rate of quick.yml.
GPU_TASK = dict(synthetic=dict(n=4000, size=768, seed=7), epochs=20, test_share=.5, pretrained=False)
CPU_TASK = dict(synthetic=dict(n=1600, size=192, seed=7), epochs=8, test_share=.5, pretrained=False, lr=5e-3, body_lr=5e-3,
                backbone='test_resnet', batch_size=16, workers=0, compile=False)
QUICK_TASK = CPU_TASK | dict(synthetic=dict(n=640, size=96, seed=7), epochs=4)
SEED, OURS = 'seed_densenet121', 'densenet121'


def recipes(task, work):
    "Name -> configuration and overrides: the seed's recipe, ours, and ours with one change taken back"
    from hpa_nb.pipeline import Pipeline
    values = {o: Pipeline.from_yaml(o, cache=work).variables for o in (SEED, OURS)}
    scale = task['synthetic']['size'] / values[SEED]['size']
    width = {k: {name: round(scale * o[name]) for name in ('size', 'crop')} for k, o in values.items()}
    back = {'the width and stem of the seed': [width[SEED], 'model.stem_stride=3'],
            'the loss of the seed': ['loss.terms={focal: 28., soft_f1: 1.}; loss.soft_f1={per: sample}'],
            'the augmentation of the seed': ['augmentation.scale=0; augmentation.rotate=0'],
            'a head that starts at one half': ['model.prior=null']}
    return {SEED: (SEED, [width[SEED]]), OURS: (OURS, [width[OURS]])} | {k: (OURS, [width[OURS], *o]) for k, o in back.items()}


def trained(name, config, overrides, task, seed, work):
    "What a recipe says of images of other antibodies, and of its held-out fold; read if an earlier call has trained it"
    from hpa_nb.core import atomic_path
    from hpa_nb.data import valid_loader
    from hpa_nb.pipeline import Pipeline
    from hpa_nb.synth import data_folder
    from hpa_nb.tta import predict_tta
    def pipeline(**where): return Pipeline.from_yaml(config, [task, *overrides, dict(seed=seed, out='', **where)], cache=work/'cache')
    key = hashlib.sha1(pipeline(source='', folder='').to_yaml().encode()).hexdigest()[:12]
    done = work/f'{key}.npz'
    if not done.exists():
        print(f'training {name}, seed {seed}', file=sys.stderr)
        source = data_folder('', task['synthetic'], work/'cache')
        pipe = pipeline(source=str(source), folder=str(work/key))
        with redirect_stdout(sys.stderr): pipe.run('valid_probs', quiet=True)
        values, targets, folds = pipe.variables, pipe['targets'], pipe['folds']
        part = values['n_splits']  # the test part stands behind the folds
        loader = valid_loader(pipe['store'], targets, folds, part, batch_size=values['batch_size'], workers=values['workers'])
        probs = predict_tta(pipe['fitted'].model, loader, tta=values['tta'], reduce=values['reduce'])
        with atomic_path(done) as path, open(path, 'wb') as f:
            np.savez(f, valid=pipe['valid_probs'], valid_targets=targets[folds == values['fold']], probs=probs, targets=targets[folds == part],
                     groups=pipe['groups'][folds == part], method=values['threshold_method'])
        shutil.rmtree(work/key)
    return dict(np.load(done))


def decisions(found, method=None):
    "Of all seeds, on top of one another, by thresholds of the held-out fold; by default the recipe's"
    from hpa_nb.thresholds import apply_thresholds, fit_thresholds
    return np.concatenate([apply_thresholds(o['probs'], fit_thresholds(o['valid'], o['valid_targets'], method or str(o['method'])))
                           for o in found])


def judged(what, peer, ours, theirs, found, each=True):
    "Rows of two ways to decide: macro F1, the interval of the difference, that of each; antibodies are drawn"
    from hpa_nb.metrics import compare_runs, macro_f1, macro_f1_ci
    y, groups = (np.concatenate([o[k] for o in found]) for k in ('targets', 'groups'))
    yield f'macro F1, {what}', macro_f1(ours, y), macro_f1(theirs, y), peer, 'F1'
    both = compare_runs(ours, theirs, y, groups)
    for end in ('low', 'high'): yield f'  95 % interval of the difference, {end}', getattr(both, end), None, '', 'F1'
    if not each: return
    ends = zip(('low', 'high'), macro_f1_ci(ours, y, groups=groups), macro_f1_ci(theirs, y, groups=groups))
    for end, a, b in ends: yield f'  95 % interval of each, {end}', a, b, peer, 'F1'


@bench
def learn(args):
    "Does it learn? Recipes on the same synthetic images, judged on antibodies that they have not seen"
    from hpa_nb.metrics import macro_average_precision, macro_f1
    task, seeds = (GPU_TASK if device().type == 'cuda' else CPU_TASK), range(3)
    if args.quick: task, seeds = QUICK_TASK, range(1)
    known = recipes(task, args.work)
    def train(name, seeds): return [trained(name, *known[name], task, o, args.work) for o in seeds]
    theirs, found = train(SEED, seeds), train(OURS, seeds)
    images, best, many = len(found[0]['targets']), decisions(found), f"{len(seeds)} seed{'s' * (len(seeds) > 1)}"
    yield from judged(f'{OURS}, {images} images, {many}', SEED, best, decisions(theirs), found)
    for k in range(len(seeds)):
        one, other = ((macro_f1(decisions([o[k]]), o[k]['targets'])) for o in (found, theirs))
        yield f'  of seed {k}', one, other, SEED, 'F1'
    precision = [np.mean([macro_average_precision(o['probs'], o['targets']) for o in part]) for part in (found, theirs)]
    yield f'macro average precision, mean of {many}', *precision, SEED, 'AP'
    if args.quick: return
    yield from judged(OURS, 'the same with the thresholds of the seed', best, decisions(found, str(theirs[0]['method'])), found, each=False)
    for name in list(known)[2:]:  # one change after the other, with the first seed
        other = decisions(train(name, seeds[:1]))
        yield from judged(f'{OURS}, seed 0', f'the same with {name}', decisions(found[:1]), other, found[:1], each=False)


# ---------------------------------------------------------------------------------------------- inference

def random_predictor(backbone, crop, size):
    "A predictor with the weights that chance gives"
    import torch
    from hpa_nb.core import CLASSES
    from hpa_nb.model import create_model
    from hpa_nb.predictor import Predictor
    torch.manual_seed(0)
    model = create_model(backbone, pretrained=False, crop_size=crop)
    return Predictor(model, CLASSES, np.full(28, .5), size=size, tta='five_crop', reduce='max')


def one_by_one(folder, ids, model):
    "Image after image: four PNGs, five crops, float32"
    import cv2, torch
    from hpa_nb.core import CHANNELS
    from hpa_nb.tta import five_crop
    for name in ids:
        planes = [cv2.imread(str(folder/f'{name}_{c}.png'), cv2.IMREAD_UNCHANGED) for c in CHANNELS]
        x = torch.from_numpy(np.stack(planes)).float().to(device())[None] / 255
        with torch.inference_mode(): model(five_crop(x, model.crop_size)[0]).sigmoid().amax(0).cpu()


@bench
def predict(args):
    "One's own images: from files to a table, and crops through the model"
    gpu = device().type == 'cuda'
    for backbone, n, size in [('densenet121', 2000, 512)] if gpu else [('test_resnet', 24 if args.quick else 96, 512), ('densenet121', 8, 256)]:
        with TemporaryDirectory() as tmp: yield from from_files(Path(tmp), backbone, n, size)
        yield from crops(random_predictor(backbone, size * 7 // 8, size), 256 if gpu else 8, size)


def from_files(tmp, backbone, n, size):
    from hpa_nb.inference import predict_fields
    predictor, ids, runs = random_predictor(backbone, size * 7 // 8, size), draw_files(tmp/'files', n, size, 'png', '{}'.format), count()
    model = random_predictor(backbone, size * 7 // 8, size).model.to(device())
    def ours(): finish(predict_fields(tmp/'files', predictor, tmp/f'table_{next(runs)}.csv'))
    yield (f'fields of {size} px, four PNGs each, to a table: {backbone}', n / seconds(ours, 2),
           n / seconds(lambda: one_by_one(tmp/'files', ids, model), 2), 'one by one, float32', 'fields/s')


def crops(predictor, n, size):
    from hpa_nb.inference import cpu_batch
    images, crop = np.random.default_rng(0).integers(0, 256, (n, size, size, 4), np.uint8), predictor.model.crop_size
    name = f"crops of {crop} px: {predictor.model.config['backbone']}"
    ours = 5 * n / seconds(lambda: predictor.predict(images, device=device(), batch_size=256 if device().type == 'cuda' else cpu_batch(crop),
                                                compile=device().type == 'cuda'), 2)
    if device().type == 'cuda' or not installed('onnxruntime'): yield name, ours, None, '', 'crops/s'; return
    from hpa_nb.export import OnnxModel, export_onnx
    with TemporaryDirectory() as tmp:
        export_onnx(predictor, Path(tmp)/'model.onnx')
        runner, x = OnnxModel(Path(tmp)/'model.onnx'), np.ascontiguousarray(images[:, :crop, :crop].transpose(0, 3, 1, 2))
        yield name, ours, n / seconds(lambda: runner(x), 2), 'ONNX Runtime, views not counted', 'crops/s'


# ---------------------------------------------------------------------------------------------- retrieval

def planted_embeddings(n, d=512, seed=0):
    "Made-up embeddings: a direction of each of n / 20 antibodies, near that of one of 40 places in the cell, and noise"
    rng = np.random.default_rng(seed)
    def directions(m): return rng.standard_normal((m, d), np.float32) / d ** .5
    antibodies = directions(40)[rng.integers(40, size=n // 20)] + .7 * directions(n // 20)
    res = antibodies[rng.integers(len(antibodies), size=n)]
    for i in range(0, n, 50_000): res[i:i + 50_000] += .8 * directions(len(res[i:i + 50_000]))
    return res


def nearest_by_faiss(embeddings, k):
    "Positions of the nearest others, by faiss's exhaustive search; the image itself, usually first, is not taken out"
    import faiss
    index = faiss.IndexFlatIP(embeddings.shape[1])
    index.add(embeddings)
    return index.search(embeddings, k)[1]


@bench
def retrieve(args):
    "The nearest ten of images by their embeddings (made-up ones of 512 numbers)"
    n, many = (20_000, 100_000) if args.quick else (100_000, 1_000_000)
    yield from exact_search(n)
    yield from approximate_search(many)
    yield from scores_of_retrieval(10_000)


def exact_search(n, k=10):
    from hpa_nb.retrieval import Neighbours, unit_rows
    embeddings = unit_rows(planted_embeddings(n))
    found, name = Neighbours(embeddings), f'the nearest {k} of {n:,} images, of all of them'
    ours = seconds(lambda: found.within(k), 1)
    theirs = None
    if installed('faiss'):
        theirs = seconds(lambda: nearest_by_faiss(embeddings, k + 1), 1)
        rows = np.random.default_rng(0).choice(n, 500, replace=False)
        check_neighbours(embeddings, rows, found.within(k, rows=rows).positions)
    yield name, ours, theirs, 'faiss, exhaustive', 's'
    from sklearn.neighbors import NearestNeighbors
    few = embeddings[:10_000]
    def sklearn(): NearestNeighbors(n_neighbors=k + 1, metric='cosine', algorithm='brute', n_jobs=-1).fit(few).kneighbors(few)
    yield f'the nearest {k} of 10,000', seconds(lambda: Neighbours(few).within(k)), seconds(sklearn, 1), 'scikit-learn, brute', 's'


def check_neighbours(embeddings, rows, positions):
    "Stop unless the cosines of what was found are the largest that there are"
    cosine = embeddings[rows].astype(np.float64) @ embeddings.T
    cosine[np.arange(len(rows)), rows] = -2
    best = -np.sort(-cosine, axis=1)[:, :positions.shape[1]]
    if not np.allclose(np.take_along_axis(cosine, positions, 1), best, atol=1e-6): sys.exit('the neighbours found are not the nearest ones')


def approximate_search(n, k=10, n_queries=1000):
    from hpa_nb.retrieval import Neighbours
    embeddings = planted_embeddings(n)
    rows = np.random.default_rng(1).choice(n, n_queries, replace=False)
    if not installed('faiss'): return
    exact = Neighbours(embeddings)
    slow, best = seconds(lambda: exact.within(k, rows=rows), 1), exact.within(k, rows=rows).positions
    start = time.perf_counter()
    near = Neighbours(embeddings, exact=False)
    built = time.perf_counter() - start
    found = near.within(k, rows=rows).positions
    yield f'an index of {n:,} images', built, None, '', 's'
    yield (f'the nearest {k} of one image among {n:,}, approximate', seconds(lambda: near.within(k, rows=rows)) / n_queries * 1e3,
           slow / n_queries * 1e3, 'ours, exact', 'ms')
    yield 'share of them that it finds', np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(found, best)]), 1, 'ours, exact', 'recall'


def scores_of_retrieval(n):
    "Mean average precision at R, beside pytorch-metric-learning, which ranks with faiss"
    if not installed('pytorch_metric_learning') or not installed('faiss'): return
    import torch
    from hpa_nb.retrieval import query_scores
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    embeddings, antibody = planted_embeddings(n), np.random.default_rng(0).integers(n // 20, size=n)
    theirs = AccuracyCalculator(include=('mean_average_precision_at_r',), k='max_bin_count')
    x, y = torch.nn.functional.normalize(torch.from_numpy(embeddings)), torch.from_numpy(antibody)
    def peer(): return theirs.get_accuracy(x, y)['mean_average_precision_at_r']
    if abs(query_scores(embeddings, antibody)['MAP@R'].mean() - peer()) > 1e-4: sys.exit('the two differ on MAP@R')
    yield f'recall and mean average precision of {n:,} queries', seconds(lambda: query_scores(embeddings, antibody), 1), seconds(peer, 1), 'pytorch-metric-learning, MAP@R', 's'


# ---------------------------------------------------------------------------------------------- the command

def show(row):
    ratio, rate = ' ' * 9, row['unit'].endswith('/s') or row['unit'] in ('F1', 'AP', 'recall')  # more is better
    if row['peer'] and row['ours']: ratio = f"{row['ours'] / row['peer'] if rate else row['peer'] / row['ours']:8.2f}x"
    peer = f'{row["peer"]:12,.3f}  {row["peer_name"]}' if row['peer'] is not None else ''
    print(f'{row["what"]:74} {row["ours"]:12,.3f} {row["unit"]:8} {ratio} {peer}'.rstrip(), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('name', choices=BENCHES)
    parser.add_argument('--quick', action='store_true', help='smaller, within three minutes on two cores')
    parser.add_argument('--json', type=Path, help='write the rows to this file')
    parser.add_argument('--labels', type=Path, help='folder of real label tables, for split')
    parser.add_argument('--work', type=Path, default=Path('results/learn'), help='folder of what learn has trained (default: results/learn)')
    parser.add_argument('--one', nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    rows, found, where = [], BENCHES[args.name](args), DEVICE
    if found is None: return  # a part of a bench, in a process of its own
    if args.name in ('train', 'learn', 'predict', 'retrieve') and device().type == 'cuda':
        import torch
        where = f'{torch.cuda.get_device_name()}, {DEVICE}'
    print(f'{BENCHES[args.name].__doc__}, on {where}; ratio: how many times better than the peer')
    for what, ours, peer, peer_name, unit in found:
        rows.append(dict(what=what, ours=float(ours), peer=None if peer is None else float(peer), peer_name=peer_name,
                         unit=unit, device=where))
        show(rows[-1])
    if args.json:
        from hpa_nb.core import atomic_path
        with atomic_path(args.json) as path: path.write_text(json.dumps(rows, indent=1) + '\n')


if __name__ == '__main__': main()
