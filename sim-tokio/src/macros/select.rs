//! `select!`.

/// Waits for several futures at once, takes the first whose output matches its pattern, drops
/// the others and runs its handler. Syntax and rules are those of tokio's `select!`:
///
/// ```text
/// select! {
///     biased;                                        // optional: poll in the order written
///     <pattern> = <future> (, if <condition>)? => <handler>,
///     else => <handler>                              // optional: no branch is left
/// }
/// ```
///
/// Conditions are evaluated first, then every future expression, also of branches that are
/// disabled. At each poll the branches are polled in turn from one that is drawn: inside a
/// simulation from the stream (`select`, node), outside at random. A branch whose output does
/// not match its pattern is disabled. The losers are dropped before the handler runs, in the
/// order written. At most 64 branches.
///
/// # Panics
/// When every branch is disabled and there is no `else`.
///
/// ```
/// # use sim_tokio as tokio;
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let first = tokio::select! {
///     biased;
///     number = async { 1 } => number,
///     () = std::future::pending() => 2,
/// };
/// assert_eq!(first, 1);
/// # }
/// ```
#[macro_export]
macro_rules! select {
    // The branches are taken off one by one. Each gets a variable of its own, `future`, told
    // apart by the hygiene of the step that names it, and its place, as many `_` as there are
    // branches before it. The variables are also listed backwards.
    (@branches $mode:tt $done:tt $back:tt $count:tt) => {
        $crate::select!(@expand $mode $done $back $count {
            ::std::panic!("all branches are disabled and there is no else branch")
        })
    };
    (@branches $mode:tt $done:tt $back:tt $count:tt else => $handler:expr $(,)?) => {
        $crate::select!(@expand $mode $done $back $count $handler)
    };
    (@branches $mode:tt ($($done:tt)*) ($($back:tt)*) ($($count:tt)*)
        $pattern:pat = $future:expr, if $condition:expr => $handler:block, $($rest:tt)*
    ) => {
        $crate::select!(@branches $mode
            ($($done)* { future ($($count)*) $pattern, $future, $condition, $handler })
            (future $($back)*) ($($count)* _) $($rest)*)
    };
    (@branches $mode:tt ($($done:tt)*) ($($back:tt)*) ($($count:tt)*)
        $pattern:pat = $future:expr => $handler:block, $($rest:tt)*
    ) => {
        $crate::select!(@branches $mode
            ($($done)* { future ($($count)*) $pattern, $future, true, $handler })
            (future $($back)*) ($($count)* _) $($rest)*)
    };
    (@branches $mode:tt ($($done:tt)*) ($($back:tt)*) ($($count:tt)*)
        $pattern:pat = $future:expr, if $condition:expr => $handler:block $($rest:tt)*
    ) => {
        $crate::select!(@branches $mode
            ($($done)* { future ($($count)*) $pattern, $future, $condition, $handler })
            (future $($back)*) ($($count)* _) $($rest)*)
    };
    (@branches $mode:tt ($($done:tt)*) ($($back:tt)*) ($($count:tt)*)
        $pattern:pat = $future:expr => $handler:block $($rest:tt)*
    ) => {
        $crate::select!(@branches $mode
            ($($done)* { future ($($count)*) $pattern, $future, true, $handler })
            (future $($back)*) ($($count)* _) $($rest)*)
    };
    (@branches $mode:tt ($($done:tt)*) ($($back:tt)*) ($($count:tt)*)
        $pattern:pat = $future:expr, if $condition:expr => $handler:expr $(, $($rest:tt)*)?
    ) => {
        $crate::select!(@branches $mode
            ($($done)* { future ($($count)*) $pattern, $future, $condition, $handler })
            (future $($back)*) ($($count)* _) $($($rest)*)?)
    };
    (@branches $mode:tt ($($done:tt)*) ($($back:tt)*) ($($count:tt)*)
        $pattern:pat = $future:expr => $handler:expr $(, $($rest:tt)*)?
    ) => {
        $crate::select!(@branches $mode
            ($($done)* { future ($($count)*) $pattern, $future, true, $handler })
            (future $($back)*) ($($count)* _) $($($rest)*)?)
    };

    // What is left in the end. Handlers stand outside the block of the futures, so that these
    // are gone, and `?`, `break`, `return` and `await` mean what they mean around the macro.
    (@expand $mode:tt (
        $({ $branch:ident $place:tt $pattern:pat, $future:expr, $condition:expr, $handler:expr })*
    ) ($($back:ident)*) $count:tt $otherwise:expr) => {{
        let output = {
            let mut disabled: u64 = 0;
            $(if !$condition {
                disabled |= 1 << $crate::select!(@count $place);
            })*
            $(let $branch = $crate::macros::support::IntoFuture::into_future($future);)*
            // Declared last to first, so that the first is dropped first.
            $(let mut $back = $crate::macros::support::pin!($back);)*
            $crate::macros::support::poll_fn(|cx| {
                let branches: u32 = $crate::select!(@count $count);
                let first: u32 = $crate::select!(@first $mode branches);
                let mut pending = false;
                for turn in 0..branches {
                    let branch = (first + turn) % branches;
                    if disabled & (1 << branch) != 0 {
                        continue;
                    }
                    $(if branch == $crate::select!(@count $place) {
                        let future = $crate::macros::support::Pin::as_mut(&mut $branch);
                        match $crate::macros::support::Future::poll(future, cx) {
                            $crate::macros::support::Poll::Pending => pending = true,
                            $crate::macros::support::Poll::Ready(output) => {
                                if $crate::select!(@matches output, $pattern) {
                                    return $crate::macros::support::Poll::Ready(
                                        $crate::select!(@wrap $place output),
                                    );
                                }
                                disabled |= 1 << branch;
                            }
                        }
                        continue;
                    })*
                }
                if pending {
                    $crate::macros::support::Poll::Pending
                } else {
                    $crate::macros::support::Poll::Ready(
                        $crate::select!(@none $count),
                    )
                }
            })
            .await
        };
        match output {
            $($crate::select!(@case $place $pattern) => $handler,)*
            _ => $otherwise,
        }
    }};

    // How many `_` there are.
    (@count ($($one:tt)*)) => { 0_u32 $(+ $crate::select!(@one $one))* };
    (@one $one:tt) => { 1_u32 };

    (@first biased $branches:expr) => { 0 };
    (@first random $branches:expr) => { $crate::macros::support::first_branch($branches) };

    // Whether a value matches, without moving it: bindings move only when a guard holds.
    (@matches $value:ident, $pattern:pat) => {{
        let mut matches = false;
        // A pattern that binds nothing fulfils neither; nobody is told, as this is a macro.
        #[expect(unused_variables, unused_mut, reason = "bindings are the handler's")]
        match $value {
            $pattern
                if {
                    matches = true;
                    false
                } =>
            {
                ::std::unreachable!("the guard is false")
            }
            _ => {}
        }
        matches
    }};

    (@wrap () $value:expr) => { $crate::macros::support::Step::Here($value) };
    (@wrap (_ $($place:tt)*) $value:expr) => {
        $crate::macros::support::Step::There($crate::select!(@wrap ($($place)*) $value))
    };
    (@none ()) => { $crate::macros::support::Disabled };
    (@none (_ $($place:tt)*)) => {
        $crate::macros::support::Step::There($crate::select!(@none ($($place)*)))
    };
    (@case () $pattern:pat) => { $crate::macros::support::Step::Here($pattern) };
    (@case (_ $($place:tt)*) $pattern:pat) => {
        $crate::macros::support::Step::There($crate::select!(@case ($($place)*) $pattern))
    };

    // The ways in.
    () => {
        ::std::compile_error!("select! requires at least one branch.")
    };
    (biased; $($branches:tt)+) => {
        $crate::select!(@branches biased () () () $($branches)+)
    };
    ($($branches:tt)+) => {
        $crate::select!(@branches random () () () $($branches)+)
    };
}
