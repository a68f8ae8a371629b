"""What ``coderm calibrate`` is asked to fit, and from what. One class a kind of model, so that others can join (confidence)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from models.config_form import Config


class TrainingData(Config):
    """Problems with known pass rates: a stored run, or files."""

    run: str | None = Field(None, description="run id, or a unique beginning of it")
    problems: Path | None = Field(None, description="P file")
    solutions: Path | None = Field(None, description="S file")
    labels: Path | None = Field(None, description="L file")

    @model_validator(mode="after")
    def _one_source(self) -> TrainingData:
        files = [self.problems, self.solutions, self.labels]
        if (self.run is None) == (None in files) or (self.run is not None and any(files)):
            raise ValueError("training data: expected a run, or problems, solutions and labels together")
        return self


class DifficultyCalibration(Config):
    """Fit one difficulty predictor (models.difficulty)."""

    type: Literal["probe", "nll", "text"]
    data: TrainingData
    states: Path | None = Field(None, description="hidden states, for probe")
    nll: Path | None = Field(None, description="likelihoods of samples, for nll")
    out: Path | None = Field(None, description="weights; default under the state, named by what they were trained on")
    folds: int = Field(5, ge=2, le=1000, description="of the problems, for held-out figures")
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _has_what_it_reads(self) -> DifficultyCalibration:
        for name, type_ in (("states", "probe"), ("nll", "nll")):
            if (getattr(self, name) is None) == (self.type == type_):
                raise ValueError(f"{name} goes with type {type_}, and only with it")
        return self
