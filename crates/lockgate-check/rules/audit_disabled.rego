# METADATA
# scope: package
# title: Audit is turned off
# description: What happened cannot be shown afterwards, neither to an auditor nor to yourself.
# custom:
#   severity: medium
#   fix: Leave the log on.
#   references:
#     - CWE-778
#     - SOC 2 CC7.2
#     - NIST AI RMF MEASURE 2.8
package lockgate.check.audit_disabled

import rego.v1

deny contains {"fact": a.id, "message": sprintf("%s: `%s` turns the record off", [a.component, a.setting])} if {
	some a in input.audit
	a.role == "source"
	not a.enabled
}
