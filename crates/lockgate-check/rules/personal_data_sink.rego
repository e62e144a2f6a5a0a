# METADATA
# scope: package
# title: Personal data leaves for an unapproved place
# description: A task that reads personal data sends something to a place that nobody approved for it.
# custom:
#   severity: high
#   fix: 'Mask or tokenize first, or have the place approved in `personal.approvedSinks` of lockgate.yaml.'
#   references:
#     - CWE-359
#     - MITRE ATLAS AML.T0025
#     - SOC 2 P4.2
#     - NIST AI RMF MAP 4.1
package lockgate.check.personal_data_sink

import rego.v1

import data.lockgate.lib

reads_personal contains place(s) if {
	some s in input.storage
	s.role == "source"
	s.access in {"read", "any"}
	some p in input.parameters.personal
	lib.within(p, s)
}

# The task of a fact; what stands in none belongs to its file.
place(f) := object.get(f, "task", sprintf("%s:", [f.file]))

# The task reads it, or is given what one that does returns.
is_personal(f) if place(f) in reads_personal

is_personal(f) if {
	some task in f.after
	task in reads_personal
}

deny contains {"fact": s.id, "message": sprintf("a task that reads personal data writes to %s", [s.uri])} if {
	some s in input.storage
	s.role == "source"
	is_personal(s)
	s.access == "write"
	s.complete
	not is_approved(s)
}

deny contains {"fact": n.id, "message": sprintf("a task that reads personal data sends to %s", [n.host])} if {
	some n in input.network
	n.role == "source"
	is_personal(n)
	n.access == "send"
	n.host != ""
	not contains(n.host, "…")
	not n.host in input.parameters.approved_hosts
	not lib.is_local(n.host)
}

# Where it goes is known when it runs.
unresolved contains {"fact": s.id, "message": sprintf("a task that reads personal data writes to %s", [s.uri])} if {
	some s in input.storage
	s.role == "source"
	is_personal(s)
	s.access == "write"
	not s.complete
}

unresolved contains {"fact": n.id, "message": sprintf("a task that reads personal data sends to %s", [n.host])} if {
	some n in input.network
	n.role == "source"
	is_personal(n)
	n.access == "send"
	contains(n.host, "…")
}

is_approved(s) if {
	some p in input.parameters.approved
	lib.within(p, s)
}

is_approved(s) if {
	some p in input.parameters.personal
	lib.within(p, s)
}
