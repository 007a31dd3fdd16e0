//! How hooks are defined that have an answer of the simulation, or else pass the call on.

/// What the simulation answers; most of it reads what the caller points to.
macro_rules! served {
    (safe $served:expr) => {
        $served
    };
    ($served:expr) => {
        // SAFETY: the caller's promise.
        unsafe { $served }
    };
}

/// Defines functions of the C library: what the simulation answers, if it does, else the real one.
///
/// A variadic function is defined as if it took its optional arguments: on these targets they go
/// where fixed ones would, and are not looked at unless the call asks for them.
macro_rules! hooks {
    ($($name:ident = $real:ident: ($($argument:ident: $type:ty),*) -> $returned:ty {
        $($served:tt)*
    })*) => {
        $(
            // SAFETY: the type is that of the function's manual page.
            static $real: $crate::interpose::hooks::real::Real<
                unsafe extern "C" fn($($type),*) -> $returned
            > = unsafe { $crate::interpose::hooks::real::Real::new(
                match std::ffi::CStr::from_bytes_with_nul(
                    concat!(stringify!($name), "\0").as_bytes(),
                ) {
                    Ok(name) => name,
                    Err(_) => panic!("a name has no NUL"),
                }) };

            #[doc = concat!("`", stringify!($name), "(2)`.")]
            ///
            /// # Safety
            ///
            /// As for the C function.
            // SAFETY: the name and type are the C library's, and so is the behaviour on what is
            // not simulated.
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> $returned {
                if let Some(answer) =
                    $crate::interpose::hooks::define::served!($($served)*)
                {
                    return answer as $returned;
                }
                match $real.get() {
                    // SAFETY: the caller's promise, passed on.
                    Some(function) => unsafe { function($($argument),*) },
                    None => $crate::interpose::hooks::unavailable() as $returned,
                }
            }
        )*
    };
}

pub(super) use {hooks, served};
