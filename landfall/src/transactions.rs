//! Transactions drawn at random: what the workloads of plans issue, and whoever drives a store by
//! hand can draw, too.

use checkers::txn::Level;
pub use plan_compiler::transactions::{Transactions, TxnKind};

use crate::system::{Call, TxnStep};

/// The numbers that transactions are drawn from.
pub trait Draws {
    /// A number below a bound, which is not zero.
    fn below(&mut self, bound: u64) -> u64;

    /// The place of an object, below as many as there are: how they are picked is contention.
    fn place(&mut self) -> usize;

    /// A value that nobody else writes.
    fn value(&mut self) -> i64;
}

/// What transactions are about.
#[derive(Clone, Debug)]
pub struct Shape<'a> {
    /// How large they are.
    pub size: Transactions,
    /// The objects in use, one at least.
    pub keys: &'a [String],
    /// The isolation that they ask for.
    pub level: Option<Level>,
}

/// Draws one transaction of a kind. The same numbers give the same one.
///
/// ```
/// use landfall::transactions::{Draws, Shape, Transactions, TxnKind, draw};
///
/// struct Counting(u64);
/// impl Draws for Counting {
///     fn below(&mut self, bound: u64) -> u64 {
///         self.0 += 1;
///         self.0 % bound
///     }
///     fn place(&mut self) -> usize {
///         self.below(2) as usize
///     }
///     fn value(&mut self) -> i64 {
///         self.0 as i64
///     }
/// }
///
/// let keys = ["x".to_owned(), "y".to_owned()];
/// let size = Transactions::default();
/// let shape = Shape { size, keys: &keys, level: None };
/// let call = draw(TxnKind::ReadModifyWrite, &shape, &mut Counting(0));
/// assert_eq!(call.to_string(), "read y, write y = 1");
/// ```
pub fn draw(kind: TxnKind, shape: &Shape<'_>, draws: &mut impl Draws) -> Call {
    let key = |place: usize| shape.keys[place % shape.keys.len()].clone();
    let read = |place| TxnStep::Read { key: key(place) };
    let most = u64::from(shape.size.steps_max.max(1));
    let steps = match kind {
        TxnKind::ListAppend | TxnKind::Registers => {
            let count = 1 + draws.below(most);
            let mut steps = Vec::new();
            for _ in 0..count {
                let key = key(draws.place());
                steps.push(step(kind, key, draws));
            }
            steps
        }
        TxnKind::ReadModifyWrite => {
            let place = draws.place();
            let (key, value) = (key(place), draws.value());
            vec![read(place), TxnStep::Write { key, value }]
        }
        TxnKind::WriteSkew => {
            // Of the pair that the object belongs to.
            let pair = draws.place() & !1;
            let written = pair + draws.below(2) as usize;
            let (key, value) = (key(written), draws.value());
            vec![read(pair), read(pair + 1), TxnStep::Append { key, value }]
        }
        TxnKind::LongFork if draws.below(2) == 0 => {
            let (key, value) = (key(draws.place()), draws.value());
            vec![TxnStep::Write { key, value }]
        }
        TxnKind::LongFork => {
            let first = draws.place();
            let count = shape.keys.len().min(shape.size.steps_max.max(2) as usize);
            (first..first + count).map(read).collect()
        }
        TxnKind::Bank => return bank(shape, draws),
    };
    Call::Txn {
        level: shape.level,
        steps,
    }
}

/// A read as often as not.
fn step(kind: TxnKind, key: String, draws: &mut impl Draws) -> TxnStep {
    if draws.below(2) == 0 {
        return TxnStep::Read { key };
    }
    let value = draws.value();
    match kind {
        TxnKind::ListAppend => TxnStep::Append { key, value },
        _ => TxnStep::Write { key, value },
    }
}

/// A transfer as often as not.
fn bank(shape: &Shape<'_>, draws: &mut impl Draws) -> Call {
    let accounts = shape.keys.len();
    if accounts < 2 || draws.below(2) == 0 {
        let accounts = shape.keys.to_vec();
        return Call::Balances { accounts };
    }
    let from = draws.place();
    let to = (from + 1 + draws.below(accounts as u64 - 1) as usize) % accounts;
    Call::Transfer {
        from: shape.keys[from % accounts].clone(),
        to: shape.keys[to].clone(),
        amount: 1 + draws.below(5) as i64,
    }
}
