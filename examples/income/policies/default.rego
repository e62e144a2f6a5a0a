# Who may do what in this workspace. Everything that no rule allows is denied.
#
# input.principal  {id, roles}
# input.action     ingest, read, derive, train, publish, deploy, serve, infer, metadata, release,
#                  release-keys, detokenize, administer
# input.resource   {kind, name, classification, purpose, columns: {name: classification},
#                   protection: {name: operator}}
# input.purpose    what the principal wants it for
# input.client     the workload that a token's bearer came through, at the gateway
package lockgate

import rego.v1

default decision := {"allow": false, "reasons": ["no rule allows it"]}

decision := {"allow": true, "reasons": reasons, "obligations": obligations} if {
	some reason in allowed
	reasons := sort([r | some r in allowed])
}

has_role(role) if role in input.principal.roles

# Data may be used for the purpose that it was collected for.
purpose_fits if input.purpose == input.resource.purpose

purpose_fits if not input.resource.purpose

allowed contains "data engineers run pipelines" if {
	has_role("data-engineer")
	input.action in {"ingest", "derive", "read"}
	purpose_fits
}

allowed contains "ML engineers train and ship models" if {
	has_role("ml-engineer")
	input.action in {"derive", "train", "publish", "deploy", "serve"}
	purpose_fits
}

allowed contains "ML engineers read what is not restricted" if {
	has_role("ml-engineer")
	input.action == "read"
	purpose_fits
}

allowed contains "analysts read with masks" if {
	has_role("analyst")
	input.action in {"read", "metadata"}
	purpose_fits
}

allowed contains "services may ask models" if {
	has_role("service")
	input.action in {"infer", "metadata"}
	input.resource.kind == "endpoint"
	purpose_fits
}

allowed contains "keys go to data engineers for the columns they may see" if {
	has_role("data-engineer")
	input.action == "release-keys"
	purpose_fits
}

allowed contains "data engineers look after the workspace" if {
	has_role("data-engineer")
	input.action == "administer"
	input.resource.kind == "workspace"
}

allowed contains "data stewards release rows from quarantine" if {
	has_role("data-steward")
	input.action == "release"
	purpose_fits
}

allowed contains "the data protection officer sees everything" if {
	has_role("dpo")
	input.action in {"read", "detokenize", "release-keys"}
}

# Restricted columns stay hidden from everyone but the data protection officer.
hidden contains column if {
	some column, class in input.resource.columns
	class == "restricted"
	not has_role("dpo")
	not usable_as_token(column)
}

# A token or a hash may serve as a key when features are derived; it is never shown or released.
usable_as_token(column) if {
	input.action in {"derive", "train"}
	input.resource.protection[column] in {"tokenize", "hash"}
}

# Analysts see the shape of confidential columns, not their values.
masks[column] := "'***'" if {
	some column, class in input.resource.columns
	class == "confidential"
	input.resource.kind == "dataset"
	has_role("analyst")
	not has_role("ml-engineer")
	not has_role("data-engineer")
}

obligations := {
	"row_filters": [],
	"column_masks": masks,
	"hidden_columns": sort([column | some column in hidden]),
}
