"""The embedder on a tiny model with random weights, its cache, and once on the real weights."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from retrieval.embedding import Embedder
from retrieval.embedding_cache import CachedEmbedder
from tests.retrieval.tiny_model import write_tiny_model
from tests.retrieval.word_embedder import WordEmbedder

TEXTS = ["loan", "the weather is fine", "", "revenue of the bank " * 40, "贷款利率", "loan"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def embedder(folder: Path) -> Embedder:
    return Embedder(folder)


def test_one_unit_vector_a_text(embedder: Embedder):
    vectors = embedder.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), embedder.dimension) == (6, 32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(6), abs=1e-6)
    assert embedder.embed([]).shape == (0, 32)


def test_the_order_is_that_of_the_texts_though_batches_are_sorted(embedder: Embedder):
    many = [f"{'loan ' * (number % 17)}page {number}" for number in range(40)]
    together = embedder.embed(many)
    for at in (0, 7, 39):
        alone = embedder.embed([many[at]])[0]
        assert together[at] @ alone > 0.999
        assert int(np.argmax(together @ alone)) == at


def test_every_length_is_batched_and_put_back(embedder: Embedder):
    lengths = [0, 1, 4000, 3, 70, 700, 2, 90_000, 15, *range(1, 130)]
    texts = [("rate loan bank of " * (length // 18 + 1))[:length] for length in lengths]
    together = embedder.embed(texts)
    for at in (0, 2, 4, 7, 80, len(texts) - 1):
        assert together[at] @ embedder.embed([texts[at]])[0] > 0.999


def test_in_fewer_bits_the_vectors_point_the_same_way(folder: Path):
    texts = [*TEXTS, "bank of the fine weather", "page rate revenue loan " * 9]
    exact = Embedder(folder, precision="float32").embed(texts)
    for precision, least in (("bfloat16", 0.99), ("int8", 0.99)):
        rounded = Embedder(folder, precision=precision).embed(texts)
        cosines = (exact * rounded).sum(axis=1)
        assert cosines.min() > least
        assert not np.array_equal(exact, rounded)  # it was really computed in another precision


def test_the_same_text_has_the_same_vector(embedder: Embedder):
    first, last = embedder.embed(TEXTS)[[0, -1]]
    assert first == pytest.approx(last, abs=1e-6)


def test_identity_and_dimension_are_known_without_loading_anything(folder: Path):
    code = (
        "import sys; from pathlib import Path; from retrieval.embedding import Embedder;"
        f"e = Embedder(Path({str(folder)!r})); print(e.identity, e.dimension, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    identity, dimension, torch_loaded = done.stdout.split()
    assert identity.startswith("tiny@")
    assert len(identity) == len("tiny@") + 64
    assert (dimension, torch_loaded) == ("32", "False")


def test_other_weights_have_another_identity(folder: Path, embedder: Embedder, tmp_path: Path):
    twin = tmp_path / "tiny"
    twin.mkdir()
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (twin / "model.safetensors").write_bytes(data)
    assert Embedder(twin).identity != embedder.identity


def test_threads_may_share_one(embedder: Embedder):
    expected = embedder.embed(["loan rate"])[0]
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(embedder.embed(["loan rate"])[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(vector @ expected > 0.9999 for vector in found)


def test_chinese_is_not_among_its_languages(embedder: Embedder):
    assert embedder.languages == {"en"}


def test_the_cache_computes_each_text_once(tmp_path: Path):
    words = WordEmbedder()
    cache = CachedEmbedder(words, tmp_path / "vectors.db")
    first = cache.embed(["loan", "rate", "loan"])
    assert words.texts == 2
    cache.close()
    again = CachedEmbedder(words, tmp_path / "vectors.db")
    assert again.embed(["rate", "loan", "bank"])[:2] == pytest.approx(first[[1, 0]])
    assert words.texts == 3
    assert again.embed([]).shape == (0, words.dimension)
    again.close()


def test_the_cache_keeps_models_apart(tmp_path: Path):
    first, second = WordEmbedder(), WordEmbedder("words@2")
    for embedder in (first, second):
        cache = CachedEmbedder(embedder, tmp_path / "vectors.db")
        cache.embed(["loan"])
        cache.close()
    assert (first.texts, second.texts) == (1, 1)


@pytest.mark.slow
def test_the_real_model_knows_what_is_near(weights_dir: Path):
    folder = weights_dir / "all-minilm-l6-v2"
    if not (folder / "model.safetensors").exists():
        pytest.skip(f"no embedding weights at {folder}; `./vouch up` fetches them")
    embedder = Embedder(folder)
    assert embedder.dimension == 384
    question, answer, other = embedder.embed(
        ["How many vacation days do employees have?", "Staff get 25 days of annual leave.", "Coal is a black rock."]
    )
    assert question @ answer > 0.5
    assert question @ other < 0.2
