"""A command that brings a cluster along: what travels to it, and what is said when there is none."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from app.ray_ingest import models_of, on_ray
from app.settings import load
from retrieval.errors import RetrievalError


def test_the_models_are_built_from_what_can_travel(tmp_path: Path):
    cloudpickle = pytest.importorskip("ray.cloudpickle", reason="Ray is not installed; it is in the extra `scale`")
    settings = load({"VOUCH_RETENTION_DAYS": '{"finance": 7}', "VOUCH_MODEL_DIR": str(tmp_path / "models")})
    travels = partial(models_of, settings.embedders, str(settings.model_dir))
    arrived = cloudpickle.loads(cloudpickle.dumps(travels))
    assert [type(model).__name__ for model in arrived()] == [type(model).__name__ for model in travels()]


def test_without_a_cluster_the_command_says_so(tmp_path: Path):
    pytest.importorskip("ray", reason="Ray is not installed; it is in the extra `scale`")
    settings = load({"VOUCH_DATA_DIR": str(tmp_path), "VOUCH_MODEL_DIR": str(tmp_path / "models")})
    folder = tmp_path / "models" / "all-minilm-l6-v2"
    folder.mkdir(parents=True)
    with pytest.raises(RetrievalError, match="no Ray cluster"), on_ray(settings, "127.0.0.1:1"):
        pass
