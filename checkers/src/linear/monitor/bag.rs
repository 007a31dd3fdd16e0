//! Elements in no order: an item is there from the return of its put to the call of its take at
//! least, and nothing else matters but to takes that found nothing.

use super::Verdict;
use super::items::{Discipline, Items};

pub(super) struct Bag;

impl Discipline for Bag {
    fn judge(&self, items: &Items<'_>) -> Verdict {
        let points = match items.empty_points() {
            Ok(points) => points,
            Err(verdict) => return verdict,
        };
        let mut order: Vec<(u64, u32)> = Vec::with_capacity(items.items.len() * 2);
        for item in &items.items {
            if item.is_seen() {
                order.push((u64::from(item.put_ret) * 2, item.put));
                if !item.stays() {
                    order.push((u64::from(item.take_call) * 2, item.take));
                }
            } else {
                let point = u64::from(item.put_call.max(item.take_call)) * 2;
                order.extend([(point, item.put), (point, item.take)]);
            }
        }
        let empties = items.empties.iter().zip(points);
        order.extend(empties.map(|((take, ..), point)| (point, *take)));
        order.sort_by_key(|(point, _)| *point);
        Verdict::Legal(order.into_iter().map(|(_, member)| member).collect())
    }

    fn deadlines(&self, items: &Items<'_>) -> Vec<(u32, usize)> {
        let empty = items.empty_deadlines();
        let staying = items.staying();
        staying
            .filter_map(|(place, item)| Some((empty.after(item.put_ret)?, place)))
            .collect()
    }
}
