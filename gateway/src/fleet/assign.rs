//! Which lakes a server publishes or maintains. Pure: what all servers see in, orders for one of them out.
//!
//! Every server decides for itself, from the same view. Two that decide at once may both want a lake; the catalog gives it to
//! one, and the next view says to which.

use std::collections::HashSet;

use duckmesh_catalog::{
    LakeId,
    fleet::{Fleet, LakeRow, Member},
};

/// Lakes given away at one look: the others take them over at their next.
const GIVEN_AT_ONCE: usize = 64;

/// What a server is to change.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Lakes to publish from now on.
    pub take: Vec<LakeId>,
    /// Lakes to leave to others.
    pub give: Vec<LakeId>,
}

/// The lakes that `me` is to publish: as many as the others, with as few changes of hands as that needs. `mine` are those
/// that it was told to publish already.
#[must_use]
pub fn publishing(me: &str, fleet: &Fleet, mine: &HashSet<LakeId>) -> Orders {
    let is_mine = |lake: &LakeRow| mine.contains(&lake.id);
    let of_another = |lake: &LakeRow| lake.publisher.as_deref().is_some_and(|owner| owner != me);
    let mut orders = Orders::default();
    orders.give.extend(fleet.lakes.iter().filter(|l| is_mine(l) && of_another(l)).map(|l| l.id));
    let coordinators: Vec<&Member> = fleet.members.iter().filter(|m| m.roles.coordinator).collect();
    let Some(index) = coordinators.iter().position(|member| member.name == me) else {
        return orders;
    };
    let (lakes, count) = (fleet.lakes.len(), coordinators.len());
    let share = lakes / count + usize::from(index < lakes % count);
    let held: Vec<LakeId> = fleet.lakes.iter().filter(|l| is_mine(l) && !of_another(l)).map(|l| l.id).collect();
    if held.len() > share {
        orders.give.extend(held.iter().rev().take((held.len() - share).min(GIVEN_AT_ONCE)));
        return orders;
    }
    let mut free: Vec<LakeId> = fleet.lakes.iter().filter(|l| !is_mine(l) && !of_another(l)).map(|l| l.id).collect();
    // Each begins elsewhere, so that few want the same.
    let from = index * free.len() / count;
    free.rotate_left(from);
    orders.take.extend(free.into_iter().take(share - held.len()));
    orders
}

/// Whether `me` is to maintain a lake: its publisher does not, and among those who do it is this one's turn.
#[must_use]
pub fn maintains(me: &str, fleet: &Fleet, lake: &LakeRow) -> bool {
    let Some(publisher) = lake.publisher.as_deref() else { return false };
    if fleet.members.iter().any(|m| m.name == publisher && m.roles.maintenance) {
        return false;
    }
    let able: Vec<&Member> = fleet.members.iter().filter(|m| m.roles.maintenance).collect();
    let turn = usize::try_from(lake.id.get()).unwrap_or(0).checked_rem(able.len());
    turn.and_then(|turn| able.get(turn)).is_some_and(|member| member.name == me)
}

#[cfg(test)]
mod tests {
    use duckmesh_catalog::{LakeName, Roles};

    use super::*;

    fn member(id: i64, name: &str, coordinator: bool, maintenance: bool) -> Member {
        Member { id, name: name.into(), roles: Roles { gateway: true, coordinator, maintenance } }
    }

    fn lake(id: i64, publisher: Option<&str>) -> LakeRow {
        let name = LakeName::parse(&format!("l{id}")).unwrap();
        LakeRow { id: LakeId::new(id), name, lane: None, publisher: publisher.map(str::to_owned), maintainer: None }
    }

    fn ids(ids: &[i64]) -> Vec<LakeId> {
        ids.iter().copied().map(LakeId::new).collect()
    }

    /// Plays the servers' looks until nothing changes; gives the lakes of each.
    fn settle(names: &[&str], lakes: i64, start: &[Option<&str>]) -> Vec<usize> {
        let members = (1..).zip(names).map(|(id, name)| member(id, name, true, true)).collect();
        let owner = |id: i64| start.get(usize::try_from(id).unwrap() - 1).copied().flatten();
        let mut fleet = Fleet { members, lakes: (1..=lakes).map(|id| lake(id, owner(id))).collect() };
        for _ in 0..100 {
            let mut changed = false;
            for name in names {
                let is_mine = |l: &&LakeRow| l.publisher.as_deref() == Some(name);
                let mine = fleet.lakes.iter().filter(is_mine).map(|l| l.id).collect();
                let orders = publishing(name, &fleet, &mine);
                changed |= orders != Orders::default();
                for lake in &mut fleet.lakes {
                    if orders.give.contains(&lake.id) {
                        lake.publisher = None;
                    } else if orders.take.contains(&lake.id) {
                        lake.publisher = Some((*name).to_owned());
                    }
                }
            }
            if !changed {
                let of = |name: &&str| fleet.lakes.iter().filter(|l| l.publisher.as_deref() == Some(name)).count();
                return names.iter().map(of).collect();
            }
        }
        panic!("it does not settle")
    }

    #[test]
    fn lakes_are_shared_evenly_and_change_hands_only_for_that() {
        assert_eq!(settle(&["a"], 5, &[]), [5]);
        assert_eq!(settle(&["a", "b"], 2, &[Some("a"), Some("a")]), [1, 1]);
        assert_eq!(settle(&["a", "b", "c"], 1000, &[Some("a"); 1000]), [334, 333, 333]);
        assert_eq!(settle(&["b", "c"], 7, &[Some("c"); 7]), [4, 3]);
        assert_eq!(settle(&["a", "b", "c"], 1, &[Some("a")]), [1, 0, 0]);
    }

    #[test]
    fn what_another_publishes_is_left_to_it() {
        let members = vec![member(1, "a", true, true), member(2, "b", true, true)];
        let fleet = Fleet { members, lakes: vec![lake(1, Some("b")), lake(2, Some("b")), lake(3, None)] };
        // A zombie that still believes in lake 1; b publishes more than its share and will give.
        let orders = publishing("a", &fleet, &HashSet::from([LakeId::new(1)]));
        assert_eq!((orders.give, orders.take), (ids(&[1]), ids(&[3])));
        // Who is thought dead takes nothing.
        let orders = publishing("c", &fleet, &HashSet::from([LakeId::new(2), LakeId::new(3)]));
        assert_eq!((orders.give, orders.take), (ids(&[2]), ids(&[])));
    }

    #[test]
    fn a_lake_is_maintained_by_its_publisher_or_by_one_other() {
        let members = vec![member(1, "a", true, false), member(2, "b", false, true), member(3, "c", false, true)];
        let fleet = Fleet { members, lakes: Vec::new() };
        for id in 0..4 {
            let lake = lake(id, Some("a"));
            let able: Vec<&str> = ["a", "b", "c"].into_iter().filter(|me| maintains(me, &fleet, &lake)).collect();
            assert_eq!(able, [["b", "c"][usize::try_from(id).unwrap() % 2]]);
        }
        assert!(!maintains("b", &fleet, &lake(1, None)));
        let members = vec![member(1, "a", true, true), member(2, "b", false, true)];
        assert!(!maintains("b", &Fleet { members, lakes: Vec::new() }, &lake(1, Some("a"))));
    }
}
