"""The multilingual embedder on a small vocabulary with random weights, and once on the real weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.catalog import MULTILINGUAL_EMBEDDER
from retrieval.multilingual import MultilingualEmbedder

SENTENCES = ["贷款利率是多少？", "银行的年收入。", "the rate of a loan", "revenue of the bank", "合同的违约责任"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a tokenizer of a few dozen pieces and draw weights for it."""
    from sentencepiece import SentencePieceTrainer

    from tests.retrieval.ngram_weights import random_weights

    place = tmp_path_factory.mktemp("models") / "several"
    place.mkdir()
    with (place / "sp.model").open("wb") as model:
        SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES * 5),
            model_writer=model,
            vocab_size=64,
            minloglevel=2,
            hard_vocab_limit=False,
        )
    np.savez(place / "weights.npz", **random_weights(rows=4))
    return place


@pytest.fixture(scope="module")
def embedder(folder: Path) -> MultilingualEmbedder:
    return MultilingualEmbedder(folder)


def test_one_unit_vector_a_text_in_the_order_of_the_texts(embedder: MultilingualEmbedder):
    texts = [*SENTENCES, "", "贷款" * 900, "合"]
    vectors = embedder.embed(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts), embedder.dimension) == (8, 512)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(8), abs=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        assert embedder.embed([text])[0] @ vector == pytest.approx(1.0, abs=1e-5)
    assert embedder.embed([]).shape == (0, 512)


def test_what_is_beyond_the_longest_text_is_left_out(embedder: MultilingualEmbedder):
    longest, longer = embedder.embed(["贷" * 4000, "贷" * 4000 + "the bank"])
    assert longest @ longer == pytest.approx(1.0, abs=1e-6)


def test_identity_and_languages_are_known_without_loading_anything(folder: Path):
    code = (
        "import sys; from pathlib import Path; from retrieval.multilingual import MultilingualEmbedder as M;"
        f"e = M(Path({str(folder)!r})); print(e.identity, e.dimension, *e.languages, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    identity, dimension, language, torch_loaded = done.stdout.split()
    assert identity.startswith("several@")
    assert len(identity) == len("several@") + 64
    assert (dimension, language, torch_loaded) == ("512", "zh", "False")


def test_languages_are_those_it_is_given(folder: Path):
    assert MultilingualEmbedder(folder, languages=frozenset({"en", "zh"})).languages == {"en", "zh"}


def test_weights_that_hold_objects_are_refused(folder: Path, tmp_path: Path):
    (tmp_path / "sp.model").write_bytes((folder / "sp.model").read_bytes())
    np.savez(tmp_path / "weights.npz", q1=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        MultilingualEmbedder(tmp_path).embed(["贷款"])


@pytest.mark.slow
def test_the_real_model_finds_the_answer_across_languages(weights_dir: Path):
    folder = weights_dir / MULTILINGUAL_EMBEDDER
    if not (folder / "weights.npz").exists():
        pytest.skip(f"no embedding weights at {folder}; `./vouch up` fetches them")
    embedder = MultilingualEmbedder(folder)
    texts = [
        "员工每年有多少天假期？",
        "职工享有二十五天的带薪年休假。",
        "煤是一种黑色的岩石。",
        "Staff get 25 days of annual leave.",
    ]
    vectors = embedder.embed(texts)
    # computed once by another implementation of the same network
    assert vectors[0] @ vectors.T == pytest.approx([1.0, 0.49462, 0.04954, 0.52928], abs=1e-4)
    assert vectors[0, :4] == pytest.approx([-0.043796, -0.025919, 0.068635, 0.009845], abs=1e-4)
    assert vectors[1, :4] == pytest.approx([-0.040834, -0.080105, 0.041094, 0.055298], abs=1e-4)
