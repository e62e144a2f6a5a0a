# METADATA
# scope: package
# title: Deserialization that runs code
# description: 'Whoever can change the file runs code where it is read: in the training job or the server.'
# custom:
#   severity: high
#   fix: 'Exchange models as ONNX or safetensors, tensors with `weights_only=True`, settings with `yaml.safe_load`; or verify a signature first.'
#   references:
#     - CWE-502
#     - MITRE ATLAS AML.T0010
#     - MITRE ATLAS AML.T0018
#     - "OWASP ML06:2023"
package lockgate.check.unsafe_deserialization

import rego.v1

deny contains {"fact": d.id, "message": sprintf("`%s`: %s", [d["function"], d.because])} if {
	some d in input.deserialization
	d.role == "source"
	d.safe == "no"
}

unresolved contains {"fact": d.id, "message": sprintf("`%s`: %s", [d["function"], d.because])} if {
	some d in input.deserialization
	d.role == "source"
	d.safe == "unknown"
}
