//! Sources and a lake on S3, served by moto.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::world::{Done, World, judge, run};

/// A server that ends with the test.
struct S3 {
    child: Child,
    url: String,
}

impl S3 {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(judge("moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..300 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }

    /// Runs Python with `s`, a client of this server.
    fn python(&self, script: &str) -> Done {
        let script = format!(
            "import boto3\ns = boto3.client('s3', endpoint_url='{}', region_name='us-east-1', aws_access_key_id='x', aws_secret_access_key='y')\n{script}",
            self.url
        );
        run(Command::new(judge("python")).args(["-c", &script]))
    }

    fn lockgate(&self, world: &World, args: &[&str]) -> Done {
        let mut command = world.command(args);
        command.env("AWS_ENDPOINT_URL", &self.url).env("AWS_REGION", "us-east-1");
        run(command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "y"))
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_source_and_a_lake_may_lie_on_s3() {
    let s3 = S3::start();
    s3.python("[s.create_bucket(Bucket=b) for b in ('inbox', 'lake')]; s.put_object(Bucket='inbox', Key='people.csv', Body=b'id,email,city\\n' + b''.join(b'P%d,p%d@example.com,Oslo\\n' % (i, i) for i in range(300)))").ok();
    let world = World::people("id,email,city\n");
    world.edit("lockgate.yaml", "\nkeys:", "\nlake: s3://lake/team\n\nkeys:");
    world.edit("pipeline.yaml", "data/people.csv", "s3://inbox/people.csv");
    s3.lockgate(&world, &["run", "pipeline.yaml"]).ok();
    let again = s3.lockgate(&world, &["run", "pipeline.yaml", "--format", "json"]).ok().json();
    assert_eq!(again["ingested"][0]["unchanged"], true);
    let sql = "SELECT city, count(*) AS n FROM people GROUP BY city";
    let rows = s3.lockgate(&world, &["query", sql, "--purpose", "demonstration", "--format", "json"]).ok().json();
    assert_eq!(rows, serde_json::json!([{"city": "Oslo", "n": "300"}]));
    s3.lockgate(&world, &["verify"]).ok();
    assert!(!world.path(".lockgate/lake").exists());

    // Nothing of it is readable in the bucket, and one changed object is found.
    let script = "
names = [o['Key'] for o in s.list_objects_v2(Bucket='lake')['Contents']]
assert all(n.startswith('team/people/') for n in names), names
bodies = {n: s.get_object(Bucket='lake', Key=n)['Body'].read() for n in names}
assert not any(b'@example' in b for b in bodies.values())
name = next(n for n in names if n.endswith('.parquet'))
s.put_object(Bucket='lake', Key=name, Body=bodies[name][:-9] + b'x' + bodies[name][-8:])
";
    s3.python(script).ok();
    s3.lockgate(&world, &["verify"]).fails(5, "was changed");
    world.edit("pipeline.yaml", "s3://inbox/people.csv", "s3://inbox/none.csv");
    s3.lockgate(&world, &["run", "pipeline.yaml"]).fails(3, "s3://inbox/none.csv does not exist");
}
