//! A description and its type, so that the device which made it finds it without asking it.

#![expect(
    unsafe_code,
    reason = "the type was asked for once; to ask at each call is a call more"
)]

use std::any::{Any, TypeId};
use std::rc::Rc;

use crate::device::Description;

/// A description whose type is known. Made by [`Typed::new`] alone, and never changed.
pub(crate) struct Typed {
    of: TypeId,
    description: Rc<dyn Description>,
}

impl Typed {
    pub(crate) fn new(description: Rc<dyn Description>) -> Self {
        let any: &dyn Any = &*description;
        Self {
            of: any.type_id(),
            description,
        }
    }

    #[inline]
    pub(crate) const fn get(&self) -> &Rc<dyn Description> {
        &self.description
    }

    /// It, if it is one of these.
    #[inline]
    pub(crate) fn as_one<T: Description>(&self) -> Option<&T> {
        if self.of != TypeId::of::<T>() {
            return None;
        }
        // SAFETY: `of` is the type of what `description` points at, which it keeps alive.
        Some(unsafe { &*Rc::as_ptr(&self.description).cast::<T>() })
    }

    pub(crate) fn into_inner(self) -> Rc<dyn Description> {
        self.description
    }
}
