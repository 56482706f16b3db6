"""Pages over published runs: one per scenario, with all its variants."""

from __future__ import annotations

import re

from bench.analysis.sections import report
from bench.present import published
from tests.present.conftest import Fake, canned

SIZES = ("wide[n_obs=10]", "wide[n_obs=900]", "wide[n_obs=20,note=a b]", "s0-uniform")
ABOUT = {
    "wide[n_obs=10]": {"what": "linear, 2 features, 10 rows"},
    "wide[n_obs=900]": {"what": "linear, 2 features, 900 rows"},
    "wide[n_obs=20,note=a b]": {"what": "linear, 2 features, 10 rows"},
}


def test_all_variants_of_a_scenario_are_parts_of_one_page_to_which_those_of_backends_lead():
    tables = canned((Fake("a.nuts", "mcmc", 0.1, 0.002),), scenarios=SIZES, about=ABOUT)
    files = published.site([(published.published("r", tables.run, ""), report(tables))], [])
    assert {name for name in files if name.startswith("scenarios/")} == {
        "scenarios/wide.html",
        "scenarios/s0-uniform.html",
    }
    wide, backend = files["scenarios/wide.html"], files["backends/a.nuts.html"]
    assert "<h1>linear, 2 features <small>wide, 3 variants</small></h1>" in wide
    assert re.findall(r'<h2 id="([^"]+)">', wide) == ["n_obs=10", "n_obs=20,note=a_b", "n_obs=900"]
    assert wide.count('<th scope="row">') == 3 and "<h2 id" not in files["scenarios/s0-uniform.html"]
    led = re.findall(r'href="\.\./(scenarios/[^"]+)"', backend)
    assert led == [
        "scenarios/s0-uniform.html",
        *(f"scenarios/wide.html#{at}" for at in ("n_obs%3D10", "n_obs%3D20%2Cnote%3Da_b", "n_obs%3D900")),
    ]
