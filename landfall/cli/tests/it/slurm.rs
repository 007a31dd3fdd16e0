//! `--engine slurm` on a cluster of its own: one controller and two machines that are two named
//! daemons of this host. Skipped with a notice where Slurm is not installed.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Answer, answer, command, of_landfall, on_landfall};

const FAILS: &str = "failures::unsynced::s1_acknowledged_writes_survive";
const SEEDS: [&str; 3] = ["--seeds", "60", "--check-determinism=50%"];

/// In the environment of one machine's daemon and all that it starts.
const MACHINE: &str = "LANDFALL_TEST_MACHINE";

/// The cluster; its end is that of its processes.
struct Cluster {
    home: PathBuf,
}

impl Cluster {
    /// Starts it; none, with the reason, where that is impossible.
    fn start(home: &Path) -> Result<Self, String> {
        for tool in ["munged", "slurmctld", "slurmd", "sbatch", "squeue"] {
            let found = Command::new("sh")
                .args(["-c", &format!("command -v {tool}")])
                .stdout(Stdio::null())
                .status();
            if !found.is_ok_and(|status| status.success()) {
                return Err(format!("{tool} is missing: install slurm-wlm and munge"));
            }
        }
        let user = output(Command::new("id").arg("-u"));
        if user.trim() != "0" {
            return Err("its daemons need root".to_owned());
        }
        let _ = fs::remove_dir_all(home);
        fs::create_dir_all(home.join("state")).expect("a directory");
        let home = home.canonicalize().expect("it is there");
        let cluster = Self { home };
        cluster.configure();
        cluster.daemon(Command::new("munged").arg("--force").args(
            ["key-file", "socket", "pid-file", "log-file", "seed-file"].map(|what| {
                let file = what.replace("-file", "");
                format!("--{what}={}/munge.{file}", cluster.home.display())
            }),
        ))?;
        cluster.daemon(Command::new("slurmctld").arg("-c"))?;
        for machine in ["a", "b"] {
            let mut daemon = Command::new("slurmd");
            cluster.daemon(daemon.args(["-N", machine]).env(MACHINE, machine))?;
        }
        for _ in 0..200 {
            let states = output(cluster.tool("sinfo").args(["-h", "-N", "-o", "%N %t"]));
            if states
                .lines()
                .filter(|line| line.ends_with(" idle"))
                .count()
                == 2
            {
                return Ok(cluster);
            }
            pause();
        }
        Err("its machines do not become idle".to_owned())
    }

    fn configure(&self) {
        let home = self.home.display();
        let host = output(&mut Command::new("hostname"));
        let host = host.trim();
        let ports: Vec<TcpListener> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"))
            .collect();
        let port = |index: usize| ports[index].local_addr().expect("an address").port();
        let mut text = format!(
            "ClusterName=landfall\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={}\n\
             SlurmUser=root\nSlurmdUser=root\n\
             AuthType=auth/munge\nAuthInfo=socket={home}/munge.socket\nCredType=cred/munge\n\
             SlurmctldPidFile={home}/slurmctld.pid\nSlurmdPidFile={home}/slurmd-%n.pid\n\
             SlurmdSpoolDir={home}/spool-%n\nStateSaveLocation={home}/state\n\
             SlurmctldLogFile={home}/slurmctld.log\nSlurmdLogFile={home}/slurmd-%n.log\n\
             ProctrackType=proctrack/pgid\nTaskPlugin=task/none\nMpiDefault=none\n\
             SelectType=select/cons_tres\nSelectTypeParameters=CR_Core\n\
             SchedulerType=sched/builtin\nSlurmdTimeout=6\nMessageTimeout=5\nKillWait=1\n\
             ReturnToService=2\nAccountingStorageType=accounting_storage/none\n\
             JobAcctGatherType=jobacct_gather/none\n",
            port(0)
        );
        for (index, machine) in [(1, "a"), (2, "b")] {
            fs::create_dir_all(self.home.join(format!("spool-{machine}"))).expect("a directory");
            text.push_str(&format!(
                "NodeName={machine} NodeHostname={host} NodeAddr=127.0.0.1 Port={} CPUs=1\n",
                port(index)
            ));
        }
        text.push_str("PartitionName=all Nodes=a,b Default=YES State=UP\n");
        fs::write(self.home.join("slurm.conf"), text).expect("it is written");
        let key = self.home.join("munge.key");
        fs::write(&key, [7_u8; 1024]).expect("it is written");
        output(Command::new("chmod").arg("400").arg(&key));
    }

    /// A command that knows this cluster.
    fn tool(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        self.enter(&mut command);
        command
    }

    fn enter(&self, command: &mut Command) {
        command.env("SLURM_CONF", self.home.join("slurm.conf"));
    }

    /// Daemons fork: they have started once this returns.
    fn daemon(&self, command: &mut Command) -> Result<(), String> {
        self.enter(command);
        let log = fs::File::create(self.home.join("daemons.log")).expect("a file");
        let log_too = log.try_clone().expect("a descriptor");
        let status = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too)
            .status()
            .map_err(|error| error.to_string())?;
        match status.success() {
            true => Ok(()),
            false => {
                let said = fs::read_to_string(self.home.join("daemons.log"));
                Err(said.unwrap_or_default())
            }
        }
    }

    /// Kills a machine: its daemon and all that it started.
    fn kill_machine(&self, machine: &str) {
        // What its daemon has from here, and what a job has from its daemon.
        let marks = [
            format!("{MACHINE}={machine}"),
            format!("SLURMD_NODENAME={machine}"),
        ];
        let home = format!("SLURM_CONF={}/slurm.conf", self.home.display());
        kill(&|variables| {
            let has = |one: &str| variables.iter().any(|variable| variable == one);
            marks.iter().any(|mark| has(mark)) && has(&home)
        });
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let home = format!("SLURM_CONF={}/slurm.conf", self.home.display());
        kill(&|variables| variables.contains(&home));
    }
}

/// Kills the processes with such an environment, but for this one.
fn kill(is_meant: &dyn Fn(&[String]) -> bool) {
    // Twice: one may have started another meanwhile.
    for _ in 0..2 {
        for entry in fs::read_dir("/proc").expect("Linux").flatten() {
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let variables: Vec<String> = environment
                .split(|byte| *byte == 0)
                .map(|variable| String::from_utf8_lossy(variable).into_owned())
                .collect();
            if is_meant(&variables) {
                let number = entry.file_name();
                let _gone_before = Command::new("kill").arg("-9").arg(number).output();
            }
        }
    }
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Processes elsewhere take their time; nothing here depends on how long.
fn pause() {
    let _slept = Command::new("sleep").arg("0.1").status();
}

fn words<'a>(parts: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut words = of_landfall("sweep", FAILS, &SEEDS);
    words.extend(["--engine", "slurm", "--shards", "3", "--parts", parts]);
    words.extend(more);
    words
}

#[test]
fn a_sweep_on_slurm_survives_a_machine_and_is_the_local_one_byte_for_byte() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("slurm");
    let cluster = match Cluster::start(&home) {
        Ok(cluster) => cluster,
        Err(why) => return eprintln!("skipped: there is no Slurm here: {why}"),
    };
    let parts = home.join("parts");
    let parts = parts.to_str().expect("UTF-8");
    let mut sweep = command(&words(parts, &[]));
    cluster.enter(&mut sweep);
    let files = [home.join("stdout"), home.join("stderr")];
    let [stdout, stderr] = files
        .each_ref()
        .map(|path| fs::File::create(path).expect("a file"));
    let sweep = sweep.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let mut sweeping = sweep.spawn().expect("the command starts");
    // Machine a is lost as soon as a part that it runs has some seeds, and is not over.
    let seeds = |part: u32| {
        let file = rusqlite::Connection::open_with_flags(
            format!("{parts}/part-{part}.db"),
            rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
        );
        let one = "SELECT count(*) FROM seeds";
        file.ok()?
            .query_row(one, [], |row| row.get::<_, i64>(0))
            .ok()
    };
    let lost = loop {
        let mut queue = cluster.tool("squeue");
        let tasks = output(queue.args(["-h", "-r", "-t", "R", "-o", "%N %K"]));
        let on_a = tasks.lines().find_map(|line| line.strip_prefix("a "));
        let part: Option<u32> = on_a.and_then(|part| part.trim().parse().ok());
        match part {
            Some(part) if (2..20).contains(&seeds(part).unwrap_or(0)) => break Some(part),
            _ if sweeping.try_wait().expect("it can be asked").is_some() => break None,
            _ => pause(),
        }
    };
    cluster.kill_machine("a");
    let ended = sweeping.wait().expect("the command ends");
    let [stdout, stderr] = files.map(|path| fs::read_to_string(path).expect("UTF-8"));
    let swept = Answer {
        code: ended.code().expect("it exits by itself"),
        stdout,
        stderr,
    };
    let lost = lost.unwrap_or_else(|| panic!("no part was seen half-way:\n{}", swept.stderr));
    let local = on_landfall("sweep", FAILS, &SEEDS);
    assert_eq!(
        (swept.code, &swept.stdout),
        (100, &local.stdout),
        "part {lost} was lost:\n{}",
        swept.stderr
    );
    let jobs = fs::read_to_string(format!("{parts}/jobs")).expect("the jobs' numbers");
    assert!(
        jobs.lines().count() >= 2,
        "what was lost is submitted again"
    );

    // The parts are not taken for another sweep's, and what is over is not run again.
    let mut other = command(&words(parts, &[]));
    cluster.enter(&mut other);
    let refused = answer(other, "");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("--resume"), "{}", refused.stderr);
    let mut resumed = command(&words(parts, &["--resume"]));
    cluster.enter(&mut resumed);
    let resumed = answer(resumed, "");
    assert_eq!(
        (resumed.code, &resumed.stdout),
        (100, &local.stdout),
        "{}",
        resumed.stderr
    );
    let after = fs::read_to_string(format!("{parts}/jobs")).expect("the jobs' numbers");
    assert_eq!(after, jobs);
}

#[test]
fn without_slurm_the_engine_says_what_it_needs() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-slurm");
    let _ = fs::remove_dir_all(&home);
    let mut sweep = command(&words(home.to_str().expect("UTF-8"), &[]));
    // Nothing is found there, and nothing is built before.
    sweep.env("PATH", &home);
    let refused = answer(sweep, "");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("slurm-client"),
        "{}",
        refused.stderr
    );
}
