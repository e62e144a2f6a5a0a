# METADATA
# scope: package
# title: Dataset without owner, classification or retention
# description: Nobody answers for it, nobody knows how to protect it, and it is kept for ever.
# custom:
#   severity: low
#   fix: Say in the contract who owns it, how it is classified and how long it is kept.
#   references:
#     - SOC 2 CC2.1
#     - SOC 2 C1.1
#     - NIST AI RMF GOVERN 1.2
package lockgate.check.undocumented_dataset

import rego.v1

deny contains {"fact": d.id, "message": sprintf("%s %s has no %s", [d.kind, d.name, concat(", ", missing(d))])} if {
	some d in input.datasets
	d.role == "source"
	count(missing(d)) > 0
}

missing(d) := sort([what |
	some what, is_missing in {
		"owner": not_true(d.owner),
		"classification": d.classification == "",
		"retention": not_true(d.retention),
	}
	is_missing
	what in wanted(d.kind)
])

not_true(x) := x == false

wanted(kind) := {"owner", "classification", "retention"} if kind == "contract"

wanted(kind) := {"owner"} if kind == "dbt-source"

wanted(kind) := set() if not kind in {"contract", "dbt-source"}
