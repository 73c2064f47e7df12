from leoflow import dag, task


@task(executor_config={"pod_override": {"spec": {}}})
def extract():
    return [1, 2]


@task(node_selector={"disk": "ssd"}, pod_template_file="pod.yaml")
def load(rows):
    print(rows)


@dag
def project():
    load(extract())


project()
