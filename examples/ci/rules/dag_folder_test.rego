package lockgate.check.dag_folder_test

import rego.v1

import data.lockgate.check.dag_folder

task(file) := {"id": "task-1", "dag": "daily", "name": "copy", "file": file}

test_a_dag_elsewhere_is_denied if {
	count(dag_folder.deny) == 1 with input as {"tasks": [task("scripts/daily.py")]}
}

test_a_dag_in_its_folder_passes if {
	count(dag_folder.deny) == 0 with input as {"tasks": [task("dags/daily.py")]}
}
