//! The macros. Each has a form for `sim` and one that evaluates nothing.

/// Registers a site; gives a reference to it. Not for use by hand.
#[cfg(feature = "sim")]
#[doc(hidden)]
#[macro_export]
macro_rules! __site {
    ($kind:ident, $name:expr) => {{
        #[$crate::__linkme::distributed_slice($crate::probe::SITES)]
        #[linkme(crate = $crate::__linkme)]
        static SITE: $crate::probe::Site = $crate::probe::Site {
            kind: $crate::probe::SiteKind::$kind,
            name: $name,
            module: ::core::module_path!(),
            file: ::core::file!(),
            line: ::core::line!(),
        };
        &SITE
    }};
}

/// Type-checks and never evaluates. Not for use by hand.
#[cfg(not(feature = "sim"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __unused {
    ($($e:expr),* $(,)?) => {
        if false {
            $(let _ = &$e;)*
        }
    };
}

/// Says that a condition holds whenever this is reached. A violation is noted with the words that
/// follow, and fails the seed; the guest goes on. The condition is evaluated in a `sim` build
/// alone.
///
/// ```
/// # let (applied, committed) = (3, 5);
/// sim_runtime::always!(applied <= committed, "applies only what is committed");
/// sim_runtime::always!(applied > 0, "has begun", "applied {applied} of {committed}");
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! always {
    ($holds:expr, $name:literal $(,)?) => {
        $crate::probe::always($crate::__site!(Always, $name), $holds, || {
            ::std::string::String::from(::core::stringify!($holds))
        })
    };
    ($holds:expr, $name:literal, $($message:tt)+) => {
        $crate::probe::always($crate::__site!(Always, $name), $holds, || {
            ::std::format!($($message)+)
        })
    };
}

/// Says that a condition holds whenever this is reached; nothing without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! always {
    ($holds:expr, $name:literal $(,)?) => { $crate::__unused!($holds) };
    ($holds:expr, $name:literal, $($message:tt)+) => {
        $crate::__unused!($holds, ::core::format_args!($($message)+))
    };
}

/// Says that a condition holds in some seed of a sweep; the report names it when it never did.
///
/// ```
/// # let queue = [1];
/// sim_runtime::sometimes!(queue.len() > 100, "the queue backs up");
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! sometimes {
    ($holds:expr, $name:literal $(,)?) => {
        $crate::probe::sometimes($crate::__site!(Sometimes, $name), $holds)
    };
}

/// Says that a condition holds in some seed of a sweep; nothing without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! sometimes {
    ($holds:expr, $name:literal $(,)?) => {
        $crate::__unused!($holds)
    };
}

/// Says that this is reached in some seed of a sweep; the report names it when it never was.
///
/// ```
/// sim_runtime::reachable!("a follower catches up by snapshot");
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! reachable {
    ($name:literal $(,)?) => {
        $crate::probe::reach(
            $crate::__site!(Reachable, $name),
            ::std::string::String::new,
        )
    };
}

/// Says that this is reached in some seed of a sweep; nothing without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! reachable {
    ($name:literal $(,)?) => {
        ()
    };
}

/// Says that this is never reached. Reaching it is noted and fails the seed; the guest goes on,
/// which it does not after std's macro of this name.
///
/// ```
/// # let (ours, theirs) = (1, 2);
/// if ours == theirs {
///     sim_runtime::unreachable!("two leaders of a term", "both have {ours}");
/// }
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! unreachable {
    ($name:literal $(,)?) => {
        $crate::unreachable!($name, "{}", $name)
    };
    ($name:literal, $($message:tt)+) => {
        $crate::probe::reach($crate::__site!(Unreachable, $name), || {
            ::std::format!($($message)+)
        })
    };
}

/// Says that this is never reached; nothing without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! unreachable {
    ($name:literal $(,)?) => { () };
    ($name:literal, $($message:tt)+) => {
        $crate::__unused!(::core::format_args!($($message)+))
    };
}

/// A rare event that the guest brings about itself: a short read, a full queue, an early time-out.
///
/// In one seed of four a site is armed; an armed one is true with the odds given, one in four
/// unless they are. Draws go by the site's name. False outside a simulation, and when the
/// simulation has buggify off.
///
/// ```
/// let limit = if sim_runtime::buggify!("small batches", 1 in 10) { 1 } else { 512 };
/// # assert_eq!(limit, 512);
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! buggify {
    () => {
        $crate::buggify!(1 in 4)
    };
    ($odds:literal in $of:literal) => {
        $crate::probe::buggify(
            $crate::__site!(
                Buggify,
                ::core::concat!(::core::module_path!(), ":", ::core::line!())
            ),
            ($odds, $of),
        )
    };
    ($name:literal) => {
        $crate::buggify!($name, 1 in 4)
    };
    ($name:literal, $odds:literal in $of:literal) => {
        $crate::probe::buggify($crate::__site!(Buggify, $name), ($odds, $of))
    };
}

/// A rare event that the guest brings about itself; false without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! buggify {
    ($($anything:tt)*) => {
        false
    };
}

/// A number that is drawn once a seed, from a range or from a list; the default outside a
/// simulation, and without `sim`.
///
/// ```
/// let batch: usize = sim_runtime::knob!("batch", 64, 1..=256);
/// let fsync: &str = sim_runtime::knob!("fsync", "always", ["always", "every second"]);
/// # assert_eq!((batch, fsync), (64, "always"));
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! knob {
    ($name:literal, $default:expr, [$($choice:expr),+ $(,)?]) => {{
        let choices = [$($choice),+];
        match $crate::probe::knob($crate::__site!(Knob, $name), choices.len() as u64) {
            Some(drawn) => choices[drawn as usize],
            None => $default,
        }
    }};
    ($name:literal, $default:expr, $range:expr) => {
        $crate::probe::knob_in($crate::__site!(Knob, $name), $default, $range)
    };
}

/// A number that is drawn once a seed; the default without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! knob {
    ($name:literal, $default:expr, $($anything:tt)+) => {
        $default
    };
}

/// Says that `left < right` holds whenever this is reached; keeps how
/// near it came to the contrary. Both sides are integers.
///
/// ```
/// sim_runtime::always_lt!(1, 2, "a bound");
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! always_lt {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::probe::compare(
            $crate::__site!(Always, $name),
            $left as i128,
            $crate::probe::Relation::Lt,
            $right as i128,
        )
    };
}

/// Says that `left < right` holds whenever this is reached; nothing without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! always_lt {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::__unused!($left, $right)
    };
}

/// Says that `left <= right` holds whenever this is reached; keeps how
/// near it came to the contrary. Both sides are integers.
///
/// ```
/// sim_runtime::always_le!(1, 2, "a bound");
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! always_le {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::probe::compare(
            $crate::__site!(Always, $name),
            $left as i128,
            $crate::probe::Relation::Le,
            $right as i128,
        )
    };
}

/// Says that `left <= right` holds whenever this is reached; nothing without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! always_le {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::__unused!($left, $right)
    };
}

/// Says that `left > right` holds whenever this is reached; keeps how
/// near it came to the contrary. Both sides are integers.
///
/// ```
/// sim_runtime::always_gt!(2, 1, "a bound");
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! always_gt {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::probe::compare(
            $crate::__site!(Always, $name),
            $left as i128,
            $crate::probe::Relation::Gt,
            $right as i128,
        )
    };
}

/// Says that `left > right` holds whenever this is reached; nothing without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! always_gt {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::__unused!($left, $right)
    };
}

/// Says that `left >= right` holds whenever this is reached; keeps how
/// near it came to the contrary. Both sides are integers.
///
/// ```
/// sim_runtime::always_ge!(2, 1, "a bound");
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! always_ge {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::probe::compare(
            $crate::__site!(Always, $name),
            $left as i128,
            $crate::probe::Relation::Ge,
            $right as i128,
        )
    };
}

/// Says that `left >= right` holds whenever this is reached; nothing without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! always_ge {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::__unused!($left, $right)
    };
}

/// Says that `left < right` holds in some seed of a sweep; keeps how
/// near it came to the contrary. Both sides are integers.
///
/// ```
/// sim_runtime::sometimes_lt!(1, 2, "a bound");
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! sometimes_lt {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::probe::compare(
            $crate::__site!(Sometimes, $name),
            $left as i128,
            $crate::probe::Relation::Lt,
            $right as i128,
        )
    };
}

/// Says that `left < right` holds in some seed of a sweep; nothing without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! sometimes_lt {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::__unused!($left, $right)
    };
}

/// Says that `left <= right` holds in some seed of a sweep; keeps how
/// near it came to the contrary. Both sides are integers.
///
/// ```
/// sim_runtime::sometimes_le!(1, 2, "a bound");
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! sometimes_le {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::probe::compare(
            $crate::__site!(Sometimes, $name),
            $left as i128,
            $crate::probe::Relation::Le,
            $right as i128,
        )
    };
}

/// Says that `left <= right` holds in some seed of a sweep; nothing without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! sometimes_le {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::__unused!($left, $right)
    };
}

/// Says that `left > right` holds in some seed of a sweep; keeps how
/// near it came to the contrary. Both sides are integers.
///
/// ```
/// sim_runtime::sometimes_gt!(2, 1, "a bound");
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! sometimes_gt {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::probe::compare(
            $crate::__site!(Sometimes, $name),
            $left as i128,
            $crate::probe::Relation::Gt,
            $right as i128,
        )
    };
}

/// Says that `left > right` holds in some seed of a sweep; nothing without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! sometimes_gt {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::__unused!($left, $right)
    };
}

/// Says that `left >= right` holds in some seed of a sweep; keeps how
/// near it came to the contrary. Both sides are integers.
///
/// ```
/// sim_runtime::sometimes_ge!(2, 1, "a bound");
/// ```
#[cfg(feature = "sim")]
#[macro_export]
macro_rules! sometimes_ge {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::probe::compare(
            $crate::__site!(Sometimes, $name),
            $left as i128,
            $crate::probe::Relation::Ge,
            $right as i128,
        )
    };
}

/// Says that `left >= right` holds in some seed of a sweep; nothing without `sim`.
#[cfg(not(feature = "sim"))]
#[macro_export]
macro_rules! sometimes_ge {
    ($left:expr, $right:expr, $name:literal $(,)?) => {
        $crate::__unused!($left, $right)
    };
}
