//! What holds where a scenario is silent: each default is said in `explain`.

use checkers::spec::ModelKind;

use crate::compile::{Draft, fields};
use crate::diagnostic::Code;
use crate::grammar::formal;
use crate::grammar::workload::{Size, WorkloadDraft};
use crate::pace;
use crate::plan::{Field, FieldKind, PlanScenario};
use crate::scenario::{Act, Disks, OpKind, Skew, Topology, Weather, Workload};
use crate::sink::Sink;
use crate::transactions::{Transactions, TxnKind};

const SECOND: u64 = 1_000_000_000;

/// The model that an operation stands for where none is named: the first that has it.
const MODELS: [ModelKind; 9] = [
    ModelKind::Queue,
    ModelKind::Stack,
    ModelKind::PriorityQueue,
    ModelKind::Set,
    ModelKind::Counter,
    ModelKind::OwnedMutex,
    ModelKind::Lease {
        ttl_ns: 10 * SECOND,
        skew_ns: 0,
    },
    ModelKind::Membership,
    ModelKind::Offsets,
];

const DELETE: OpKind = OpKind::Do(Act::Delete);

/// The workload with the defaults for what it leaves open.
pub(crate) fn settle(
    written: &PlanScenario,
    draft: &Draft,
    sink: &mut Sink<'_>,
) -> ((Topology, Weather, Disks), Workload, ModelKind) {
    let said = &draft.workload;
    let appends = said.mix.iter().any(|(op, _)| *op == OpKind::Append);
    let model = draft.model.unwrap_or_else(|| {
        let transactional = said.mix.iter().any(|(op, _)| matches!(op, OpKind::Txn(_)));
        let of_act = |op: OpKind| match op {
            OpKind::Do(act) => MODELS
                .into_iter()
                .find(|model| Act::of(*model).contains(&act)),
            _ => None,
        };
        let model = if let Some(model) = said.mix.iter().find_map(|(op, _)| of_act(*op)) {
            model
        } else if transactional {
            ModelKind::MultiRegister
        } else if appends {
            ModelKind::Log
        } else {
            ModelKind::Map
        };
        sink.default(FieldKind::Model, format!("model: {}", formal::words(model)));
        model
    });
    let lost = [Code::CyclicReference, Code::UndeclaredScenario];
    let taken_over = sink.errors.iter().any(|(code, _)| lost.contains(code));
    if !taken_over && !fields(written, FieldKind::Workload).any(|field| !field.parts.is_empty()) {
        let message = format!("scenario {} has no workload", written.id);
        let help = Some("add `Workload: 5 clients, 50% read / 50% write, 30s`".to_owned());
        sink.error(
            Code::NoWorkload,
            &written.heading,
            message,
            "nothing is done here",
            help,
        );
    }
    let mut open = |what: &str| sink.default(FieldKind::Workload, what);
    let nodes = said.nodes.unwrap_or_else(|| {
        open("3 nodes");
        Size::of(3)
    });
    let clients = said.clients.unwrap_or_else(|| {
        open("3 clients");
        Size::of(3)
    });
    let acts = Act::of(model);
    let single = matches!(model, ModelKind::Register | ModelKind::CasRegister);
    let single = single || !acts.is_empty();
    let keys = said.keys.unwrap_or_else(|| {
        let keys = if single { 1 } else { 5 };
        open(if single { "1 key" } else { "5 keys" });
        keys
    });
    let skew = said.skew.unwrap_or_else(|| {
        open("keys drawn uniformly");
        Skew::Uniform
    });
    let op_timeout_ns = said.op_timeout_ns.unwrap_or_else(|| {
        open("an operation is given up as unknown after 2s");
        2 * SECOND
    });
    let weather = said.weather.unwrap_or_else(|| {
        open(&Weather::default().to_string());
        Weather::default()
    });
    let disks = Disks {
        order: said.disks.order.unwrap_or_default(),
        tear: said.disks.tear.unwrap_or_default(),
    };
    let pace = pace::settle(written, said, clients, sink);
    let mix = mix(written, said, model, sink);
    let workload = Workload {
        mix,
        duration_ns: pace.duration_ns,
        keys,
        skew,
        rate_per_client: pace.rate_per_client,
        operations_per_client: pace.operations_per_client,
        op_timeout_ns,
        names: said.names.clone(),
        transactions: Transactions {
            steps_max: said.steps_max.unwrap_or(Transactions::default().steps_max),
            key_lifetime_ns: said.key_lifetime_ns,
        },
    };
    let topology = Topology {
        nodes: nodes.least,
        clients: clients.least,
        nodes_max: nodes.most,
        clients_max: clients.most,
    };
    ((topology, weather, disks), workload, model)
}

/// The operations and their shares; they add up to 100 and the model has them.
fn mix(
    written: &PlanScenario,
    said: &WorkloadDraft,
    model: ModelKind,
    sink: &mut Sink<'_>,
) -> Vec<(OpKind, u32)> {
    let served: &[OpKind] = match model {
        ModelKind::Register => &[OpKind::Read, OpKind::Write, DELETE],
        ModelKind::CasRegister | ModelKind::Map => {
            &[OpKind::Read, OpKind::Write, OpKind::Cas, DELETE]
        }
        ModelKind::Log => &[OpKind::Append, OpKind::Read],
        ModelKind::MultiRegister => &TxnKind::ALL.map(OpKind::Txn),
        // Those of operations of their own, and of outside histories, which no plan can name.
        _ => &[],
    };
    let acts = Act::of(model);
    let serves = |op: &OpKind| match op {
        OpKind::Do(Act::Named(_)) => true,
        OpKind::Do(act) if acts.contains(act) => true,
        OpKind::Read if Act::is_readable(model) => true,
        op => served.contains(op),
    };
    if said.mix.is_empty() {
        let mix = match model {
            ModelKind::Log if said.writers => vec![(OpKind::Append, 100)],
            _ if said.writers && !acts.is_empty() => vec![(OpKind::Do(acts[0]), 100)],
            _ if said.writers && served.contains(&OpKind::Write) => vec![(OpKind::Write, 100)],
            ModelKind::Log => vec![(OpKind::Append, 70), (OpKind::Read, 30)],
            ModelKind::MultiRegister => vec![(OpKind::Txn(TxnKind::ListAppend), 100)],
            _ if Act::is_readable(model) => vec![(OpKind::Do(acts[0]), 50), (OpKind::Read, 50)],
            _ if !acts.is_empty() => {
                vec![(OpKind::Do(acts[0]), 50), (OpKind::Do(acts[1]), 50)]
            }
            _ => vec![(OpKind::Read, 50), (OpKind::Write, 50)],
        };
        let words: Vec<String> = mix
            .iter()
            .map(|(op, share)| format!("{share} % {op}"))
            .collect();
        sink.default(FieldKind::Workload, words.join(", "));
        return mix;
    }
    let field = fields(written, FieldKind::Workload).next();
    let span = field.map_or(written.heading.clone(), Field::span);
    let sum: u64 = said.mix.iter().map(|(_, share)| u64::from(*share)).sum();
    // Shares of operations that are not served are not in the sum.
    let unread = [Code::NotServed, Code::NotUnderstood];
    if sum != 100 && !sink.errors.iter().any(|(code, _)| unread.contains(code)) {
        let message = format!("the workload's shares add up to {sum} %, not 100 %");
        let help = Some("shares are percent of all operations".to_owned());
        sink.error(Code::PercentSum, &span, message, "does not add up", help);
    }
    let fitted = |(op, share): &(OpKind, u32)| (Act::fitted(*op, model), *share);
    let fitted: Vec<(OpKind, u32)> = said.mix.iter().map(fitted).collect();
    for (op, _) in fitted.iter().filter(|(op, _)| !serves(op)) {
        let message = format!("a {} has no operation `{op}`", formal::words(model));
        let acts = acts.iter().map(|act| OpKind::Do(*act));
        let reads = Act::is_readable(model).then_some(OpKind::Read);
        let names = served.iter().copied().chain(acts).chain(reads);
        let names: Vec<String> = names.map(|op| op.to_string()).collect();
        let help = Some(format!("this model has {}", names.join(", ")));
        sink.error(
            Code::ModelMismatch,
            &span,
            message,
            "model and workload differ",
            help,
        );
    }
    fitted
}
