# METADATA
# scope: package
# title: DAG outside of its folder
# description: Reviewers and the scheduler look into dags/ only; what lies elsewhere runs unseen.
# custom:
#   severity: low
#   fix: Move it to dags/
#   references: ["SOC 2 CC1.3"]
package lockgate.check.dag_folder

import rego.v1

deny contains {"fact": t.id, "message": sprintf("the DAG %s lies outside of dags/", [t.dag])} if {
	some t in input.tasks
	t.dag != ""
	not startswith(t.file, "dags/")
}
