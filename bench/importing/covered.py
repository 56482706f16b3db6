"""Which of posteriordb's models our formulas cover, and how their parameters are called there.

posteriordb (Magnusson et al. 2024, arXiv:2407.04967) has models in Stan; each line here says one of them in a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

FLAT = {"weights": "flat", "Intercept": "flat"}
BETA, ALPHA_BETA = "beta", "alpha"
"""How coefficients are called: all `beta[i]`, the intercept the first; or `alpha` and `beta[i]`, a lone one `beta`."""


class Model(NamedTuple):
    """One of posteriordb's models as a formula."""

    formula: str
    order: tuple[str, ...]
    """Terms in the order of its coefficients there, without the intercept."""
    priors: Mapping[str, Any]
    likelihood: str = "gaussian"
    names: str = ALPHA_BETA
    scale: str = "sigma"
    """What sigma is called."""
    trials: str = ""
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    """The columns of the table, where they are not those of the data as they stand."""
    of_data: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    """Priors whose numbers are among the data."""
    parametrisation: str = ""


def _flat(formula: str, *order: str, **more: Any) -> Model:
    return Model(formula, order, {**FLAT, "sigma": "flat", **more.pop("priors", {})}, names=BETA, **more)


def _wells(formula: str, *order: str) -> Model:
    return Model(formula, order, FLAT, "bernoulli")


def _radon(formula: str, *order: str, **more: Any) -> Model:
    wide, unit = {"normal": [0, 10]}, {"half_normal": 1}
    priors = {"Intercept": wide, "tau": unit, "sigma": unit, **({"weights": wide} if order else {})}
    return Model(formula, order, priors, scale="sigma_y", **more)


def _lags(data: Mapping[str, Any]) -> Mapping[str, Any]:
    y, lags = data["y"], int(data["K"])
    return {"y": y[lags:], **{f"lag{k}": y[lags - k : len(y) - k] for k in range(1, lags + 1)}}


def _columns_of(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"y": data["y"], **{f"x{j + 1}": [row[j] for row in data["X"]] for j in range(int(data["D"]))}}


CAUCHY = {"sigma": {"half_cauchy": 2.5}}
_TEN = {"normal": [0, 10]}
_VOLUME = "log(diam1 * diam2 * canopy_height)"
_AREA, _SHAPE = "log(diam1 * diam2)", "log(diam1 / diam2)"
_DIST, _EDUC = "I(dist / 100)", "I(educ / 4)"
_C_DIST, _C_ARSENIC, _C_EDUC = "I(center(dist) / 100)", "center(arsenic)", "I(center(educ) / 4)"
_Z_HS, _Z_IQ = "I(scale(mom_hs) / 2)", "I(scale(mom_iq) / 2)"
_C_HS, _C_IQ, _C2_HS, _C2_IQ = "center(mom_hs)", "center(mom_iq)", "I(mom_hs - 0.5)", "I(mom_iq - 100)"


def _sum(left: str, *terms: str) -> str:
    return f"{left} ~ {' + '.join(terms)}"


def _of(left: str, *terms: str, **more: Any) -> Model:
    """A flat regression whose terms are its order."""
    return _flat(
        _sum(left, *terms),
        *(term.removeprefix("C(").removesuffix(")") if term.startswith("C(") else term for term in terms),
        **more,
    )


def _logistic(*terms: str) -> Model:
    return _wells(_sum("switched", *terms), *terms)


MODELS: Mapping[str, Model] = {
    "earn_height": _of("earn", "height"),
    "log10earn_height": _of("log10(earn)", "height"),
    "logearn_height": _of("log(earn)", "height"),
    "logearn_height_male": _of("log(earn)", "height", "male"),
    "logearn_interaction": _of("log(earn)", "height", "male", "height:male"),
    "logearn_interaction_z": _of("log(earn)", "scale(height)", "male", "scale(height):male"),
    "logearn_logheight_male": _of("log(earn)", "log(height)", "male"),
    "kidscore_momhs": _of("kid_score", "mom_hs", priors=CAUCHY),
    "kidscore_momiq": _of("kid_score", "mom_iq", priors=CAUCHY),
    "kidscore_momhsiq": _of("kid_score", "mom_hs", "mom_iq", priors=CAUCHY),
    "kidscore_interaction": _of("kid_score", "mom_hs", "mom_iq", "mom_hs:mom_iq", priors=CAUCHY),
    "kidscore_interaction_c": _of("kid_score", _C_HS, _C_IQ, f"{_C_HS}:{_C_IQ}"),
    "kidscore_interaction_c2": _of("kid_score", _C2_HS, _C2_IQ, f"{_C2_HS}:{_C2_IQ}"),
    "kidscore_interaction_z": _of("kid_score", _Z_HS, _Z_IQ, f"{_Z_HS}:{_Z_IQ}"),
    "kidscore_mom_work": _of("kid_score", "C(mom_work)"),
    "mesquite": _of("weight", "diam1", "diam2", "canopy_height", "total_height", "density", "group"),
    "logmesquite": _of(
        "log(weight)", "log(diam1)", "log(diam2)", "log(canopy_height)", "log(total_height)", "log(density)", "group"
    ),
    "logmesquite_logvolume": _of("log(weight)", _VOLUME),
    "logmesquite_logva": _of("log(weight)", _VOLUME, _AREA, "group"),
    "logmesquite_logvas": _of("log(weight)", _VOLUME, _AREA, _SHAPE, "log(total_height)", "log(density)", "group"),
    "logmesquite_logvash": _of("log(weight)", _VOLUME, _AREA, _SHAPE, "log(total_height)", "group"),
    "nes": _of("partyid7", "real_ideo", "race_adj", "C(age_discrete)", "educ1", "gender", "income"),
    "kilpisjarvi": Model(
        "y ~ x",
        ("x",),
        {"sigma": "flat"},
        of_data=lambda d: {
            "Intercept": {"normal": [d["pmualpha"], d["psalpha"]]},
            "x": {"normal": [d["pmubeta"], d["psbeta"]]},
        },
    ),
    "arK": Model(
        "y ~ .",
        ("lag1", "lag2", "lag3", "lag4", "lag5"),
        {"weights": _TEN, "Intercept": _TEN, **CAUCHY},
        prepare=_lags,
    ),
    "blr": Model(
        "y ~ 0 + .",
        ("x1", "x2", "x3", "x4", "x5"),
        {"weights": _TEN, "sigma": {"half_normal": 10}},
        names=BETA,
        prepare=_columns_of,
    ),
    "wells_dist": Model(_sum("switched", "dist"), ("dist",), FLAT, "bernoulli", names=BETA),
    "wells_dist100_model": _logistic(_DIST),
    "wells_dist100ars_model": _logistic(_DIST, "arsenic"),
    "wells_interaction_model": _logistic(_DIST, "arsenic", f"{_DIST}:arsenic"),
    "wells_interaction_c_model": _logistic(_C_DIST, _C_ARSENIC, f"{_C_DIST}:{_C_ARSENIC}"),
    "wells_dae_model": _logistic(_DIST, "arsenic", _EDUC),
    "wells_dae_c_model": _wells(
        _sum("switched", _C_DIST, _C_ARSENIC, f"{_C_DIST}:{_C_ARSENIC}", _EDUC),
        _C_DIST, _C_ARSENIC, f"{_C_DIST}:{_C_ARSENIC}", _EDUC,
    ),
    "wells_daae_c_model": _wells(
        _sum("switched", _C_DIST, _C_ARSENIC, f"{_C_DIST}:{_C_ARSENIC}", "assoc", _EDUC),
        _C_DIST, _C_ARSENIC, f"{_C_DIST}:{_C_ARSENIC}", "assoc", _EDUC,
    ),
    "wells_dae_inter_model": _logistic(
        _C_DIST, _C_ARSENIC, _C_EDUC, f"{_C_DIST}:{_C_ARSENIC}", f"{_C_DIST}:{_C_EDUC}", f"{_C_ARSENIC}:{_C_EDUC}"
    ),
    "nes_logit_model": Model("vote ~ income", ("income",), FLAT, "bernoulli"),
    "GLM_Poisson_model": Model(
        "count ~ year + I(year ** 2) + I(year ** 3)",
        ("year", "I(year ** 2)", "I(year ** 3)"),
        {"Intercept": {"uniform": [-20, 20]}, "weights": {"uniform": [-10, 10]}},
        "poisson",
        prepare=lambda d: {"count": d["C"], "year": d["year"]},
    ),
    "GLM_Binomial_model": Model(
        "count ~ year + I(year ** 2)",
        ("year", "I(year ** 2)"),
        {"Intercept": {"normal": [0, 100]}, "weights": {"normal": [0, 100]}},
        "binomial",
        trials="total",
        prepare=lambda d: {"count": d["C"], "total": d["N"], "year": d["year"]},
    ),
    "radon_pooled": Model(
        "log_radon ~ floor_measure",
        ("floor_measure",),
        {"weights": _TEN, "Intercept": _TEN, "sigma": {"half_normal": 1}},
        scale="sigma_y",
    ),
    "radon_county_intercept": Model(
        "log_radon ~ 0 + C(county_idx) + floor_measure",
        ("county_idx", "floor_measure"),
        {"weights": _TEN, "sigma": {"half_normal": 1}},
        scale="sigma_y",
    ),
    **{
        f"radon_{kind}_{how}": _radon(
            _sum("log_radon", *terms, "(1 | county_idx)"), *terms, parametrisation=parametrisation
        )
        for kind, terms in {
            "partially_pooled": (),
            "variable_intercept": ("floor_measure",),
            "hierarchical_intercept": ("log_uppm", "floor_measure"),
        }.items()
        for how, parametrisation in {"centered": "centred", "noncentered": "non-centred"}.items()
    },
    "radon_county": Model(
        "y ~ (1 | county)",
        (),
        {"Intercept": {"normal": [0, 1]}, "tau": {"uniform": [0, 100]}, "sigma": {"uniform": [0, 100]}},
        scale="sigma_y",
        parametrisation="centred",
    ),
}  # fmt: skip
"""By their names in posteriordb; eight schools have a family of their own."""
EIGHT_SCHOOLS = {"eight_schools_centered": "centred", "eight_schools_noncentered": "non-centred"}

REASONS: Mapping[str, tuple[str, ...]] = {
    "horseshoe, a prior that no family has": ("logistic_regression_rhs",),
    "effects on slopes, or of several groupings": (
        "radon_variable_slope_centered", "radon_variable_slope_noncentered", "radon_variable_intercept_slope_centered",
        "radon_variable_intercept_slope_noncentered", "rats_model", "election88_full", "pilots", "sesame_one_pred_a",
    ),
    "varying intercepts of counts": (
        "GLMM_Poisson_model", "GLMM1_model", "seeds_model", "seeds_centered_model", "seeds_stanified_model",
        "surgical_model", "bym2_offset_only",
    ),
    "a QR-transformed design with a truncated Student's t": ("diamonds",),
}  # fmt: skip


def reason(model: str) -> str:
    """Why a model is not covered."""
    for why, models in REASONS.items():
        if model in models:
            return why
    return "it is no regression that a formula says; a folder with model.toml can hold it (docs/own-model.md)"
