# Airflow 3.3.0 on Python 3.13. Before the first line below runs, the image has by itself (ONBUILD)
# installed packages.txt and requirements.txt and copied the project to /usr/local/airflow.
# Not newer, for now: airflow-provider-great-expectations caps structlog below what 3.3.1 needs.
FROM astrocrpublic.azurecr.io/runtime:3.3-2-python-3.13

# dbt apart from Airflow, whose pins it would fight; Cosmos calls dbt_venv/bin/dbt. Goes with dags/dbt,
# but reads nothing in dags/: `astro deploy` leaves that folder out where DAGs are deployed apart.
RUN python -m venv dbt_venv && \
    dbt_venv/bin/pip install --no-cache-dir --require-hashes -r dbt-requirements.lock

# XComs go to S3. Standalone mode does not read this line, so .env has it too.
ENV AIRFLOW__CORE__XCOM_BACKEND=include.s3_xcom_backend.S3XComBackend
# Your bucket, for every Deployment of this image; or set it as a Deployment variable instead.
# ENV AIRFLOW__XCOM_STORE__URL=s3://your-bucket/xcom
