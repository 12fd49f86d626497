"""The vggish encoder against torchvggish 0.2 on the same weights, and what it does with bad ones."""

from __future__ import annotations

import functools
import hashlib
import tempfile
import threading
import warnings
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvggish import torchvggish, vggish_input

from affuse.corpora.corpus import Utterance
from affuse.encoders.vggish.encoder import VGGishEncoder, VGGishOptions
from affuse.encoders.vggish.frontend import to_patches
from affuse.encoders.vggish.network import VGGish, random_state
from affuse.encoders.vggish.postprocess import Whitening, quantise, random_whitening
from affuse.encoders.vggish.weights import load_state
from affuse.errors import AffuseError, ClipError
from affuse.sequence import FeatureSequence, pad
from audio_files import speechlike, write_sound


@functools.cache
def lively_network() -> VGGish:
    """Random weights under which embeddings differ between patches and spread over several codes."""
    generator = torch.Generator().manual_seed(5)
    with torch.device("meta"):
        network = VGGish()
    network = network.to_empty(device="cpu")
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("weight"):  # He et al.'s gain keeps the scale through nine ReLUs
                value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
            else:
                value.uniform_(-0.05, 0.05, generator=generator)
    return network


@functools.cache
def patches() -> torch.Tensor:
    """(7, 96, 64): three clips' worth."""
    waveform = np.concatenate([speechlike(1, 16000, s) * (0.1 + 0.3 * s) for s in range(7)])
    return torch.from_numpy(to_patches(waveform))


@functools.cache
def encoder(pca: bool = True, quantised: bool = True) -> VGGishEncoder:
    """All four share one network, which saves drawing 72 M numbers for each."""
    with tempfile.TemporaryDirectory() as folder:
        weights = str(small_file(Path(folder)))
        made = VGGishEncoder(VGGishOptions(weights=weights, pca_weights=None, pca=pca, quantise=quantised))
    made.network = lively_network()
    if pca:
        made.whitening.load_state_dict(whitening_state())
    return made.eval()


@functools.cache
def whitening_state() -> dict[str, torch.Tensor]:
    """A rotation scaled so that some values pass the clamp at 2 and most do not, as real whitening does."""
    with torch.no_grad():
        embeddings = lively_network()(patches())
    state = random_whitening(6)
    means = embeddings.mean(dim=0)
    values = (embeddings - means) @ state["pca_eigen_vectors"].T
    return {"pca_eigen_vectors": state["pca_eigen_vectors"] / values.std() * 1.2, "pca_means": means}


@pytest.mark.parametrize("seconds", [0.975, 0.98, 1.95, 4.55, 7.3])
def test_front_end_equals_torchvggish(seconds: float) -> None:
    waveform = speechlike(seconds, 16000) + np.random.default_rng(0).normal(0, 0.01, round(seconds * 16000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = vggish_input.waveform_to_examples(waveform, 16000).detach()[:, 0].numpy()
    ours = to_patches(waveform.astype(np.float32))
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-4


def test_a_short_clip_is_padded_with_silence_to_one_patch() -> None:
    waveform = speechlike(0.5, 16000)
    ours = to_patches(waveform)
    assert ours.shape == (1, 96, 64)
    padded = np.concatenate([waveform, np.zeros(15_600 - 8000, np.float32)])
    assert np.abs(ours - to_patches(padded)).max() == 0
    assert np.allclose(ours[0, -1], np.log(0.01))
    assert to_patches(np.full(15_599, 0.1, np.float32)).shape[0] == 1
    assert to_patches(np.full(30_959, 0.1, np.float32)).shape[0] == 1  # one sample short of two patches
    assert to_patches(np.full(30_960, 0.1, np.float32)).shape[0] == 2


def test_network_equals_torchvggish_on_the_same_state_dict() -> None:
    with torch.device("meta"):
        theirs = torchvggish._vgg(postprocess=False)
    ours = lively_network()
    assert [(k, v.shape) for k, v in ours.state_dict().items()] == [
        (k, v.shape) for k, v in theirs.state_dict().items()
    ]
    assert sum(p.numel() for p in ours.parameters()) == 72_141_184
    theirs.load_state_dict(ours.state_dict(), assign=True)
    with torch.no_grad():
        expected, found = theirs(patches().unsqueeze(1)), ours(patches())
    assert expected.std(dim=0).max() > 1e-3  # the comparison has something to compare
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_codes_equal_torchvggish(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    state = whitening_state()
    public = {
        "pca_eigen_vectors": state["pca_eigen_vectors"].numpy(),
        "pca_means": state["pca_means"].numpy(),
    }
    # stand in for the download alone: the package's own code whitens, clamps and rounds
    monkeypatch.setattr(torchvggish.hub, "load_state_dict_from_url", lambda url: public)
    theirs = torchvggish.Postprocessor()
    with torch.no_grad():
        embeddings = encoder().network(patches())
        expected = theirs.postprocess(embeddings)
        whitened = encoder().whitening(embeddings)
        codes = quantise(whitened)
    scaled = (whitened.clamp(-2, 2) + 2) * 63.75
    tie = ((scaled - scaled.floor()) - 0.5).abs() < 1e-3
    assert tie.float().mean() < 0.02
    assert (codes == expected)[~tie].all()
    assert (codes - expected).abs().max() <= 1
    assert codes.unique().numel() > 50
    assert codes.min() == 0
    assert codes.max() == 255


def test_whitening_and_codes_by_plain_loops() -> None:
    whitening = Whitening()
    whitening.load_state_dict(whitening_state())
    x = torch.rand(3, 128)
    matrix, means = whitening_state()["pca_eigen_vectors"], whitening_state()["pca_means"]
    out = whitening(x)
    for i, row in ((0, 5), (2, 127)):
        expected = sum(float(matrix[row, j]) * (float(x[i, j]) - float(means[j])) for j in range(128))
        assert float(out[i, row]) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    values = torch.tensor([-9.0, -2.0, -1.99, 0.1, 1.0, 1.9999, 2.0, 7.0])
    expected = [round((min(max(v, -2), 2) + 2) / 4 * 255) for v in values.tolist()]
    assert quantise(values).tolist() == expected


@pytest.mark.parametrize(("pca", "quantised"), [(True, True), (True, False), (False, False), (False, True)])
def test_a_batch_equals_its_clips_one_by_one(pca: bool, quantised: bool) -> None:
    clips = [patches()[:3], None, patches()[3:4], patches()[4:7]]
    batch = pad(clips)
    poisoned = batch.values.clone()
    poisoned[~batch.mask] = float("nan")  # padding is never computed
    with torch.no_grad():
        together = encoder(pca, quantised)(FeatureSequence(poisoned, batch.mask))
        assert (together.mask == batch.mask).all()
        assert (together.values[~batch.mask] == 0).all()
        for row, clip in enumerate(clips):
            if clip is not None:
                alone = encoder(pca, quantised)(pad([clip])).values[0]
                found = together.values[row, : len(clip)]
                if quantised:
                    assert (found - alone).abs().max() <= 1
                    assert (found != alone).float().mean() < 0.01  # ties alone may move
                else:
                    # float32 rounding through sums of up to 12,288 terms, in another order
                    assert (found - alone).abs().max() < 5e-5 * alone.abs().max()
        nobody = encoder(pca, quantised)(FeatureSequence(batch.values, torch.zeros_like(batch.mask)))
    assert nobody.values.shape == (4, 3, 128)
    assert not nobody.values.any()


def test_without_quantisation_gradients_reach_the_network_and_with_it_none_do() -> None:
    for quantised in (False, True):
        made = encoder(True, quantised)
        made.zero_grad()
        made(pad([patches()[:1]])).values.sum().backward()
        largest = max(float(p.grad.abs().max()) for p in made.network.parameters())
        assert (largest == 0) == quantised
        made.zero_grad()
    encoder(True, False).check_trainable()
    with pytest.raises(AffuseError, match="set quantise: false or freeze the encoder"):
        encoder(True, True).check_trainable()


def test_read_takes_range_and_channel(tmp_path: Path) -> None:
    left, right = speechlike(4, 16000, 1), speechlike(4, 16000, 2)
    path = write_sound(tmp_path / "a.wav", np.stack([left, right], 1), 16000, "FLOAT")
    found = encoder().read(Utterance("u", audio=path, start=1.0, end=3.5, channel=1))
    assert found.dtype == torch.float32
    assert (found.numpy() == to_patches(right[16000:56000])).all()
    assert encoder().read(Utterance("u", text="no sound")) is None
    with pytest.raises(ClipError, match="does not exist"):
        encoder().read(Utterance("u", audio=tmp_path / "none.wav"))


def test_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    base, raw, plain = encoder(True, True), encoder(True, False), encoder(False, False)
    tiny = torch.nn.Linear(2, 2)  # the key reads whatever weights there are; 72 M numbers take their time
    for made in (base, raw, plain):
        monkeypatch.setattr(made, "network", tiny)
    assert base.reading_key == raw.reading_key == plain.reading_key
    assert len({base.features_key, raw.features_key, plain.features_key}) == 3
    before = raw.features_key
    assert raw.features_key == before
    with torch.no_grad():
        tiny.bias[0] += 1
    assert raw.features_key != before
    assert raw.reading_key == base.reading_key


def test_random_weights_by_seed() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        expected = torch.rand(1)
        torch.manual_seed(1)
        a = VGGishEncoder(VGGishOptions(weights=None, pca_weights=None, seed=3))
        assert torch.rand(1) == expected  # the global generator was left alone
    b = random_state(3)
    assert all((a.network.state_dict()[name] == b[name]).all() for name in b)
    c = VGGishEncoder(VGGishOptions(weights=None, pca_weights=None, seed=4))
    assert not (a.network.embeddings[4].weight == c.network.embeddings[4].weight).all()
    assert not (a.whitening.pca_eigen_vectors == c.whitening.pca_eigen_vectors).all()


def small_file(folder: Path, name: str = "vggish.pth", broken: str | None = None):
    """A file of the right keys and shapes and of a few kilobytes: each tensor is one number, seen often."""
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in VGGish().state_dict().items()}
    state = {k: torch.full((1,), 0.01 * (i + 1)).expand(shape) for i, (k, shape) in enumerate(shapes.items())}
    if broken == "lacks":
        del state["embeddings.4.bias"]
    elif broken == "shape":
        state["embeddings.4.bias"] = torch.zeros(64)
    elif broken == "more":
        state["logits.weight"] = torch.zeros(2, 2)
    torch.save(state, folder / name)
    if "HASH" in name:
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        return (folder / name).rename(folder / name.replace("HASH", digest[:8]))
    return folder / name


def pca_file(folder: Path, name: str, legacy: bool = False, arrays: bool = False):
    state = random_whitening(2)
    if arrays:  # float64 numpy, as a file converted from TensorFlow's npz may hold
        state = {key: value.numpy().astype(np.float64) for key, value in state.items()}
    torch.save(state, folder / name, _use_new_zipfile_serialization=not legacy)
    return folder / name


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("arrays", [False, True])
def test_pca_files_of_every_make(tmp_path: Path, legacy: bool, arrays: bool) -> None:
    state = load_state(str(pca_file(tmp_path, "pca.pth", legacy, arrays)), "", "pca_weights")
    for name, value in random_whitening(2).items():
        assert state[name].dtype == torch.float32
        torch.testing.assert_close(state[name], value)


def test_local_weights(tmp_path: Path) -> None:
    options = VGGishOptions(
        weights=str(small_file(tmp_path)), pca_weights=str(pca_file(tmp_path, "pca.pth", True, True))
    )
    made = VGGishEncoder(options)
    assert (made.network.features[0].weight == 0.01).all()
    assert made.network.features[0].weight.is_contiguous()
    assert made.whitening.pca_means.shape == (128,)
    assert all(parameter.requires_grad for parameter in made.parameters())


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder served over HTTP on this machine, and an empty folder for torch.hub."""
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            with folder.parent.joinpath("log").open("a") as log:
                log.write("x")

    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_download_is_hash_checked_and_kept(server: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = server
    path = small_file(folder, "vggish-HASH.pth")
    state = load_state(f"{address}/{path.name}", "", "weights")
    assert float(state["features.0.bias"][0]) == pytest.approx(0.02)
    assert (tmp_path / "log").read_text() == "x"
    kept = tmp_path / "hub" / "checkpoints" / path.name
    assert kept.read_bytes() == path.read_bytes()
    load_state("download", f"{address}/{path.name}", "weights")
    assert (tmp_path / "log").read_text() == "x"  # not fetched again
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    with pytest.raises(AffuseError, match=r"is damaged: .+; delete it, and it is fetched again"):
        load_state("download", f"{address}/{path.name}", "weights")


def test_a_download_that_fails_leaves_nothing(server: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = server
    good = small_file(folder, "vggish-HASH.pth")
    wrong = good.rename(folder / "vggish-01234567.pth")
    for name in (wrong.name, "absent-01234567.pth"):
        with pytest.raises(AffuseError, match=f"{name} could not be downloaded .+ set weights to its path"):
            load_state(f"{address}/{name}", "", "weights")
    assert not list((tmp_path / "hub" / "checkpoints").iterdir())
    with pytest.raises(AffuseError, match="cannot be checked, because its file name holds no hash"):
        load_state(f"{address}/vggish.pth", "", "weights")


def test_bad_weight_files_are_named(tmp_path: Path) -> None:
    def make(path: Any):
        return VGGishEncoder(VGGishOptions(weights=str(path), pca=False))

    with pytest.raises(AffuseError, match=r"none\.pth does not exist; set weights to .+ or to 'download'"):
        make(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("weights")
    with pytest.raises(AffuseError, match=r"text\.pth is not a PyTorch state dict"):
        make(tmp_path / "text.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(AffuseError, match=r"list\.pth is not a PyTorch state dict"):
        make(tmp_path / "list.pth")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "pickle.pth")
    with pytest.raises(AffuseError, match=r"pickle\.pth is not a PyTorch state dict"):
        make(tmp_path / "pickle.pth")
    for broken, words in (("lacks", r"lacks embeddings\.4\.bias"), ("more", r"has logits\.weight, which"),
                          ("shape", r"has embeddings.4.bias of shape \(64,\), not \(128,\)")):  # fmt: skip
        with pytest.raises(AffuseError, match=words):
            make(small_file(tmp_path, broken=broken))
    hashed = small_file(tmp_path, "vggish-HASH.pth")
    hashed.write_bytes(hashed.read_bytes()[:-2])
    with pytest.raises(AffuseError, match="is damaged: its SHA-256 begins"):
        make(hashed)
