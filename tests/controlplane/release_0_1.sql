PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE dag_versions (
	id INTEGER NOT NULL, 
	dag_id VARCHAR NOT NULL, 
	spec_hash VARCHAR(64) NOT NULL, 
	image VARCHAR NOT NULL, 
	spec TEXT NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (dag_id, spec_hash, image)
);
INSERT INTO "dag_versions" VALUES(1,'d','af408a2f381f97004a34bcd32aea4658cd8eee95c645c908c0cfabaf5ed342ed','image','{"dag_id":"d","python_version":"3.11","tasks":[{"task_id":"flaky","action":{"module":"dag","function":null,"args":[],"kwargs":{},"kind":"python"},"resources":{"requests":{"cpu_millis":100,"memory_bytes":67108864},"limits":{"cpu_millis":null,"memory_bytes":null}},"source":{"file":"dag.py","line":1},"upstream_task_ids":[],"trigger_rule":"all_success","retries":2,"retry_delay_seconds":0.0,"execution_timeout_seconds":null,"artifacts":false,"variables":[],"connections":[]},{"task_id":"load","action":{"module":"dag","function":null,"args":[{"task_id":"flaky","key":"return_value","kind":"xcom"}],"kwargs":{},"kind":"python"},"resources":{"requests":{"cpu_millis":100,"memory_bytes":67108864},"limits":{"cpu_millis":null,"memory_bytes":null}},"source":{"file":"dag.py","line":1},"upstream_task_ids":["flaky"],"trigger_rule":"all_success","retries":0,"retry_delay_seconds":0.0,"execution_timeout_seconds":null,"artifacts":false,"variables":[],"connections":[]}],"description":"","tags":[],"params":{},"environment":{},"schema_version":1}',1.79565595328040575979e+09);
INSERT INTO "dag_versions" VALUES(2,'d','41b4d0236db43c0d7936f7414def36c28ef6a0f43a20d391b3b145fbb63586e8','image','{"dag_id":"d","python_version":"3.11","tasks":[{"task_id":"broken","action":{"module":"dag","function":null,"args":[],"kwargs":{},"kind":"python"},"resources":{"requests":{"cpu_millis":100,"memory_bytes":67108864},"limits":{"cpu_millis":null,"memory_bytes":null}},"source":{"file":"dag.py","line":1},"upstream_task_ids":[],"trigger_rule":"all_success","retries":0,"retry_delay_seconds":0.0,"execution_timeout_seconds":null,"artifacts":false,"variables":[],"connections":[]},{"task_id":"load","action":{"module":"dag","function":null,"args":[{"task_id":"broken","key":"return_value","kind":"xcom"}],"kwargs":{},"kind":"python"},"resources":{"requests":{"cpu_millis":100,"memory_bytes":67108864},"limits":{"cpu_millis":null,"memory_bytes":null}},"source":{"file":"dag.py","line":1},"upstream_task_ids":["broken"],"trigger_rule":"all_success","retries":0,"retry_delay_seconds":0.0,"execution_timeout_seconds":null,"artifacts":false,"variables":[],"connections":[]}],"description":"","tags":[],"params":{},"environment":{},"schema_version":1}',1.79565595351066493992e+09);
INSERT INTO "dag_versions" VALUES(3,'d','c4a2284f04223ee444f507b292c72c3ddfb9176a671d2ae0f6223b2e7e947a3c','image','{"dag_id":"d","python_version":"3.11","tasks":[{"task_id":"slow","action":{"module":"dag","function":null,"args":[],"kwargs":{},"kind":"python"},"resources":{"requests":{"cpu_millis":100,"memory_bytes":67108864},"limits":{"cpu_millis":null,"memory_bytes":null}},"source":{"file":"dag.py","line":1},"upstream_task_ids":[],"trigger_rule":"all_success","retries":0,"retry_delay_seconds":0.0,"execution_timeout_seconds":null,"artifacts":false,"variables":[],"connections":[]},{"task_id":"load","action":{"module":"dag","function":null,"args":[{"task_id":"slow","key":"return_value","kind":"xcom"}],"kwargs":{},"kind":"python"},"resources":{"requests":{"cpu_millis":100,"memory_bytes":67108864},"limits":{"cpu_millis":null,"memory_bytes":null}},"source":{"file":"dag.py","line":1},"upstream_task_ids":["slow"],"trigger_rule":"all_success","retries":0,"retry_delay_seconds":0.0,"execution_timeout_seconds":null,"artifacts":false,"variables":[],"connections":[]}],"description":"","tags":[],"params":{},"environment":{},"schema_version":1}',1.79565595355851531029e+09);
CREATE TABLE journal (
	id INTEGER NOT NULL, 
	run_pk INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	at FLOAT NOT NULL, 
	text TEXT NOT NULL, 
	task_id VARCHAR, 
	map_index INTEGER NOT NULL, 
	try_number INTEGER NOT NULL, 
	seq INTEGER, 
	stream VARCHAR, 
	reason TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run_pk) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "journal" VALUES(1,1,'state',1.79565595328040575979e+09,'running',NULL,-1,0,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(2,1,'state',1.79565595328040575979e+09,'scheduled','flaky',-1,0,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(3,1,'state',1.79565595328040575979e+09,'queued','flaky',-1,1,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(4,1,'state',1.79565595334278059001e+09,'running','flaky',-1,1,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(5,1,'log',1.79565595336256361011e+09,'hello from flaky
','flaky',-1,1,3,'stdout',NULL);
INSERT INTO "journal" VALUES(6,1,'state',1.79565595337464880944e+09,'up_for_retry','flaky',-1,1,NULL,NULL,'ValueError: no');
INSERT INTO "journal" VALUES(7,1,'state',1.79565595337464880944e+09,'scheduled','flaky',-1,1,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(8,1,'state',1.79565595337464880944e+09,'queued','flaky',-1,2,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(9,1,'state',1.79565595339185595513e+09,'running','flaky',-1,2,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(10,1,'log',1.79565595341065883635e+09,'hello from flaky
','flaky',-1,2,3,'stdout',NULL);
INSERT INTO "journal" VALUES(11,1,'state',1.7956559534145245552e+09,'success','flaky',-1,2,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(12,1,'state',1.7956559534145245552e+09,'scheduled','load',-1,0,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(13,1,'state',1.7956559534145245552e+09,'queued','load',-1,1,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(14,1,'state',1.79565595344682621958e+09,'running','load',-1,1,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(15,1,'log',1.79565595346019577982e+09,'hello from load
','load',-1,1,3,'stdout',NULL);
INSERT INTO "journal" VALUES(16,1,'state',1.7956559534706795216e+09,'success','load',-1,1,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(17,1,'state',1.7956559534706795216e+09,'success',NULL,-1,0,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(18,2,'state',1.79565595351066493992e+09,'running',NULL,-1,0,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(19,2,'state',1.79565595351066493992e+09,'scheduled','broken',-1,0,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(20,2,'state',1.79565595351066493992e+09,'queued','broken',-1,1,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(21,2,'state',1.79565595352579283712e+09,'running','broken',-1,1,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(22,2,'log',1.79565595352777361871e+09,'hello from broken
','broken',-1,1,3,'stdout',NULL);
INSERT INTO "journal" VALUES(23,2,'state',1.79565595353847074506e+09,'failed','broken',-1,1,NULL,NULL,'ValueError: no');
INSERT INTO "journal" VALUES(24,2,'state',1.79565595353847074506e+09,'upstream_failed','load',-1,0,NULL,NULL,'trigger rule ''all_success'' with upstream ''broken'' failed');
INSERT INTO "journal" VALUES(25,2,'state',1.79565595353847074506e+09,'failed',NULL,-1,0,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(26,3,'state',1.79565595355851531029e+09,'running',NULL,-1,0,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(27,3,'state',1.79565595355851531029e+09,'scheduled','slow',-1,0,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(28,3,'state',1.79565595355851531029e+09,'queued','slow',-1,1,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(29,3,'state',1.79565595357067036633e+09,'running','slow',-1,1,NULL,NULL,NULL);
INSERT INTO "journal" VALUES(30,3,'log',1.79565595357843232155e+09,'hello from slow
','slow',-1,1,3,'stdout',NULL);
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	dag_id VARCHAR NOT NULL, 
	run_id VARCHAR NOT NULL, 
	dag_version_id INTEGER NOT NULL, 
	instance_id VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	reason TEXT, 
	cancelled BOOLEAN NOT NULL, 
	logical_date VARCHAR NOT NULL, 
	conf TEXT NOT NULL, 
	params TEXT NOT NULL, 
	created_at FLOAT NOT NULL, 
	finished_at FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (dag_id, run_id), 
	FOREIGN KEY(dag_version_id) REFERENCES dag_versions (id)
);
INSERT INTO "runs" VALUES(1,'d','first',1,'4c392cddf135','success',NULL,0,'2026-03-01T12:00:00+02:00','{"day": 1}','{}',1.79565595328040575979e+09,1.7956559534706795216e+09);
INSERT INTO "runs" VALUES(2,'d','second',2,'4c392cddf135','failed',NULL,0,'2026-03-02T00:00:00+00:00','{}','{}',1.79565595351066493992e+09,1.79565595353847074506e+09);
INSERT INTO "runs" VALUES(3,'d','third',3,'4c392cddf135','running',NULL,0,'2026-03-03T00:00:00+00:00','{}','{}',1.79565595355851531029e+09,NULL);
CREATE TABLE task_instances (
	id INTEGER NOT NULL, 
	run_pk INTEGER NOT NULL, 
	task_id VARCHAR NOT NULL, 
	map_index INTEGER NOT NULL, 
	inline BOOLEAN NOT NULL, 
	state VARCHAR, 
	try_number INTEGER NOT NULL, 
	due_at FLOAT, 
	scheduled_at FLOAT, 
	reason TEXT, 
	PRIMARY KEY (id), 
	UNIQUE (run_pk, task_id, map_index), 
	FOREIGN KEY(run_pk) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "task_instances" VALUES(1,1,'flaky',-1,0,'success',2,NULL,1.79565595337464880944e+09,NULL);
INSERT INTO "task_instances" VALUES(2,1,'load',-1,0,'success',1,NULL,1.7956559534145245552e+09,NULL);
INSERT INTO "task_instances" VALUES(3,2,'broken',-1,0,'failed',1,NULL,1.79565595351066493992e+09,'ValueError: no');
INSERT INTO "task_instances" VALUES(4,2,'load',-1,0,'upstream_failed',0,NULL,NULL,'trigger rule ''all_success'' with upstream ''broken'' failed');
INSERT INTO "task_instances" VALUES(5,3,'slow',-1,0,'running',1,NULL,1.79565595355851531029e+09,NULL);
INSERT INTO "task_instances" VALUES(6,3,'load',-1,0,NULL,0,NULL,NULL,NULL);
CREATE TABLE tries (
	id INTEGER NOT NULL, 
	task_instance_pk INTEGER NOT NULL, 
	try_number INTEGER NOT NULL, 
	instance_id VARCHAR NOT NULL, 
	inline BOOLEAN NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	nonce VARCHAR, 
	acked_seq INTEGER NOT NULL, 
	state VARCHAR, 
	reason TEXT, 
	reported_verdict BOOLEAN NOT NULL, 
	terminate TEXT, 
	defect TEXT, 
	deadline_at FLOAT, 
	exit_code INTEGER, 
	oom_killed BOOLEAN NOT NULL, 
	artifacts TEXT, 
	scheduled_at FLOAT, 
	dispatched_at FLOAT, 
	created_at FLOAT, 
	started_at FLOAT, 
	agent_up_at FLOAT, 
	import_started_at FLOAT, 
	entered_at FLOAT, 
	left_at FLOAT, 
	reported_at FLOAT, 
	ended_at FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (task_instance_pk, try_number), 
	FOREIGN KEY(task_instance_pk) REFERENCES task_instances (id) ON DELETE CASCADE, 
	UNIQUE (token_hash)
);
INSERT INTO "tries" VALUES(1,1,1,'4c392cddf135',0,'b32d9af634e482f35555036f0a5f1361661ab035db5c949161fe242487921584','fake',4,'failed','ValueError: no',1,NULL,NULL,NULL,1,0,NULL,1.79565595328040575979e+09,1.79565595328040575979e+09,1.79565595334266257286e+09,1.79565595334275913234e+09,1.79565595334276413919e+09,1.79565595334276413919e+09,1.79565595334276413919e+09,1.79565595337462663655e+09,1.79565595337464880944e+09,1.79565595339153695106e+09);
INSERT INTO "tries" VALUES(2,1,2,'4c392cddf135',0,'068c2e1e717dd5e9c37edcb4afd73f704f9ecf04710ebd81c1b993bca6dce2a2','fake',5,'success',NULL,1,NULL,NULL,NULL,0,0,NULL,1.79565595337464880944e+09,1.79565595337464880944e+09,1.79565595339176082611e+09,1.79565595339183139804e+09,1.7956559533918364048e+09,1.7956559533918364048e+09,1.7956559533918364048e+09,1.7956559534145116806e+09,1.7956559534145245552e+09,1.79565595344650721552e+09);
INSERT INTO "tries" VALUES(3,2,1,'4c392cddf135',0,'211b820e9490357eee5913e2d84d352062d4b35671bca8665b78eb23dc150a70','fake',5,'success',NULL,1,NULL,NULL,NULL,0,0,NULL,1.7956559534145245552e+09,1.7956559534145245552e+09,1.79565595344673347476e+09,1.79565595344680500032e+09,1.7956559534468107223e+09,1.7956559534468107223e+09,1.7956559534468107223e+09,1.79565595347066521642e+09,1.7956559534706795216e+09,1.79565595349366021156e+09);
INSERT INTO "tries" VALUES(4,3,1,'4c392cddf135',0,'db6c7a1720e3939de83745012bca050aaf5a320886bd6fb934d4d94f7658d760','fake',4,'failed','ValueError: no',1,NULL,NULL,NULL,1,0,NULL,1.79565595351066493992e+09,1.79565595351066493992e+09,1.79565595352574014663e+09,1.7956559535257763863e+09,1.79565595352578067775e+09,1.79565595352578067775e+09,1.79565595352578067775e+09,1.79565595353845453259e+09,1.79565595353847074506e+09,1.79565595354650378231e+09);
INSERT INTO "tries" VALUES(5,5,1,'4c392cddf135',0,'e25d83bdcb500b896c30c1ecc629613f9db3f6ae7fcc0b2db10daf403a5198c7','fake',3,NULL,NULL,0,NULL,NULL,NULL,NULL,0,NULL,1.79565595355851531029e+09,1.79565595355851531029e+09,NULL,NULL,1.79565595357065939906e+09,1.79565595357065939906e+09,1.79565595357065939906e+09,NULL,NULL,NULL);
CREATE TABLE xcoms (
	run_pk INTEGER NOT NULL, 
	task_id VARCHAR NOT NULL, 
	map_index INTEGER NOT NULL, 
	"key" VARCHAR NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (run_pk, task_id, map_index, "key"), 
	FOREIGN KEY(run_pk) REFERENCES runs (id) ON DELETE CASCADE
);
INSERT INTO "xcoms" VALUES(1,'flaky',-1,'return_value','{"rows": 3}');
INSERT INTO "xcoms" VALUES(1,'load',-1,'return_value','{"rows": 3}');
CREATE INDEX runs_by_instance ON runs (instance_id, state);
CREATE INDEX task_instances_by_state ON task_instances (state, due_at);
CREATE INDEX journal_by_run ON journal (run_pk, id);
CREATE INDEX tries_by_instance ON tries (instance_id, state, ended_at);
COMMIT;
