//! All bad days of people that are known, and where each is played: as the catalogue of inputs has its rows. One that
//! nothing plays is for a later release, and says what of the program it waits for.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Where a row is played.
enum Shown {
    /// By these tests.
    By(&'static [&'static str]),
    /// In part by these tests; the rest waits for what is named.
    Partly(&'static [&'static str], &'static str),
    /// Not yet: it waits for what is named.
    Later(&'static str),
}

use Shown::{By, Later, Partly};

/// Number, what happens, and where it is played.
const ROWS: &[(usize, &str, Shown)] = &[
    (
        1,
        "the state directory is not mounted at start; then uploads and moves",
        By(&[
            "a_state_directory_that_is_not_mounted_empties_no_tree_and_all_is_as_before_when_it_is_back",
            "production_with_packages_and_without_metadata_does_not_become_an_empty_repository",
            "a_move_that_was_decided_when_its_tree_became_anothers_waits_and_lifts_nothing",
            "a_tree_that_is_held_stays_as_it_is_whatever_call_is_struck",
        ]),
    ),
    (
        2,
        "the state is yesterday's, the trees are today's",
        Partly(
            &[
                "an_old_copy_of_the_state_holds_the_trees_that_are_newer_whatever_is_asked_meanwhile",
                "an_old_copy_of_the_state_publishes_nothing_over_newer_trees",
            ],
            "`rolloutd adopt`, which takes over what the trees show",
        ),
    ),
    (
        3,
        "the trees are yesterday's, the state is today's",
        By(&[
            "packages_that_were_swept_from_a_tree_are_put_back_from_other_trees",
            "an_old_copy_of_a_tree_is_named_and_not_shown_as_something_new",
        ]),
    ),
    (
        4,
        "`cp -a` of a running state directory, put back elsewhere",
        By(&["a_state_that_was_copied_by_hand_while_it_is_written_starts_whole_or_not_at_all"]),
    ),
    (
        5,
        "a backup while promotions run, restored elsewhere by another user",
        By(&["a_backup_that_was_made_while_packages_move_is_a_site_elsewhere_for_another_user"]),
    ),
    (
        6,
        "a tree on a mount that is absent and comes back",
        By(&["a_tree_that_is_not_mounted_is_named_and_not_made_anew_below_its_mount_point"]),
    ),
    (
        7,
        "`rsync --delete` of an old mirror onto a tree",
        By(&["an_old_mirror_that_is_synchronised_onto_a_tree_is_put_right"]),
    ),
    (
        8,
        "`rm -rf` of a tree, of its packages, of one that lies nowhere else",
        By(&[
            "a_package_whose_bytes_are_nowhere_is_given_up_by_name_and_blocks_nothing_any_more",
            "packages_that_were_swept_from_a_tree_are_put_back_from_other_trees",
        ]),
    ),
    (
        9,
        "a disk is full for a time: the state's, the trees', both",
        By(&[
            "a_full_disk_is_told_at_once_and_everything_goes_on_by_itself",
            "when_the_disk_of_the_trees_was_full_everything_goes_on_by_itself",
            "when_every_disk_was_full_everything_goes_on_by_itself",
        ]),
    ),
    (
        10,
        "hard-linking backups, atime, `touch -r`, `chmod g-w`",
        By(&["what_backups_and_admins_do_to_files_without_changing_them_alarms_nobody"]),
    ),
    (
        11,
        "the logbook is deleted, moved or replaced while it runs",
        By(&[
            "a_logbook_that_is_deleted_or_moved_while_it_runs_is_noticed_and_comes_back_whole",
            "a_log_that_is_deleted_while_it_runs_is_noticed_and_nothing_is_lost",
            "an_older_logbook_that_is_copied_over_the_one_that_runs_is_noticed",
        ]),
    ),
    (12, "the state is moved to a new disk", By(&["a_state_that_was_moved_to_another_disk_is_the_same_site"])),
    (
        13,
        "two daemons over the same trees",
        Partly(
            &[
                "a_second_daemon_over_the_same_trees_refuses_and_a_lost_lock_is_named",
                "two_daemons_on_one_site_are_one_too_many",
            ],
            "NFS without locks that reach other machines",
        ),
    ),
    (
        14,
        "a ring is replaced by the next key while trees list packages by the old one",
        By(&[
            "row_14_a_ring_that_was_replaced_while_trees_list_packages_by_the_old_key",
            "row_14_a_tree_that_asks_for_more_signers_than_what_it_lists_has",
        ]),
    ),
    (
        15,
        "revocations in all places",
        By(&[
            "row_15_a_revocation_wherever_it_stands",
            "row_15_a_revocation_of_a_subkey",
            "row_15_rpm_takes_the_published_file_of_a_certificate_with_a_revoked_subkey",
            "row_15_what_a_subkey_signed_before_its_revocation_is_held",
            "row_15_the_revocation_of_the_only_key_that_signs_is_a_note_and_counts",
            "row_15_a_revocation_counts_although_another_file_is_gone",
        ]),
    ),
    (16, "a key that expires", By(&["row_16_a_key_that_expires"])),
    (
        17,
        "the metadata key is replaced, expired, lost",
        By(&[
            "row_17_trees_that_are_signed_and_a_configuration_that_signs_nothing",
            "row_17_the_metadata_key_is_replaced_lost_or_has_expired",
        ]),
    ),
    (
        18,
        "secret and public keys in each other's places, a passphrase",
        By(&["row_18_the_wrong_kind_of_key_is_named_with_the_command_that_mends_it"]),
    ),
    (
        19,
        "key files that were edited, binary, joined, large; a pipe in their place",
        By(&[
            "row_19_a_key_file_that_was_edited_is_published_as_rpm_takes_it_or_named",
            "row_19_a_pipe_in_the_place_of_a_key_secret_or_token_holds_nothing_up",
        ]),
    ),
    (
        20,
        "umask, sticky directories and owners of uploaders",
        Partly(
            &["whatever_an_uploader_does_to_permissions_is_told_to_him_and_monitoring_stays_calm"],
            "ACLs and NFS with root squashed",
        ),
    ),
    (
        21,
        "half a file, a link, a directory named like a package, `.RPM`, a zip",
        By(&["what_is_no_package_is_named_where_its_owner_looks"]),
    ),
    (
        22,
        "the same file under ten names; the same name with other bytes",
        By(&["the_same_file_counts_once_and_the_same_name_with_other_bytes_is_refused_with_both_digests"]),
    ),
    (
        23,
        "createrepo_c by habit in production",
        By(&["what_createrepo_c_wrote_out_of_habit_is_held_and_never_taken_over"]),
    ),
    (
        24,
        "a package is copied straight into production",
        By(&["a_package_that_an_admin_copied_straight_into_production_is_named_with_the_way_to_bring_it_in"]),
    ),
    (
        25,
        "chown and chmod of the whole root",
        By(&[
            "trees_that_are_opened_to_everybody_are_named_and_not_published_and_the_remedy_mends_all",
            "a_tree_that_is_opened_to_others_while_the_daemon_runs_is_held_until_it_is_put_right",
            "a_site_whose_uploaders_could_write_into_the_trees_is_moved_over_by_the_words_of_readme",
        ]),
    ),
    (
        26,
        "a distribution is renamed, removed, added back",
        By(&[
            "a_distribution_that_is_renamed_by_mistake_lives_on_until_the_next_start_and_comes_back",
            "a_distribution_that_was_removed_and_put_back_by_reloads_was_never_away",
        ]),
    ),
    (
        27,
        "trees change their order, or one is removed; another checksum or compression",
        By(&[
            "trees_that_are_turned_round_or_removed_are_told_of_beforehand",
            "another_checksum_is_in_every_package_after_a_restart",
            "signing_and_compression_that_change_are_seen_by_clients_after_a_reload",
        ]),
    ),
    (28, "another base URL", By(&["yum_files_follow_another_base_url"])),
    (
        29,
        "a procedure file loses a state in which rollouts are",
        Partly(
            &["rollouts_in_states_that_a_procedure_has_lost_are_named_with_the_way_out"],
            "gates that a procedure file can name",
        ),
    ),
    (
        30,
        "an old configuration; an older program after a newer one",
        By(&[
            "an_entry_of_a_newer_program_is_refused_in_words_and_nothing_changes",
            "a_site_whose_uploaders_could_write_into_the_trees_is_moved_over_by_the_words_of_readme",
        ]),
    ),
    (
        31,
        "a file of the state belongs to somebody else; run as root by mistake",
        By(&["what_root_leaves_behind_is_named_with_the_chown_that_mends_it"]),
    ),
    (
        32,
        "a clock that is wrong by years and is put right",
        By(&["no_jump_of_the_clock_removes_refuses_or_loses_anything_that_the_right_time_would_not"]),
    ),
    (
        33,
        "the port is taken; a socket unit",
        Partly(
            &[
                "a_port_that_another_program_has_is_named_and_nothing_changes",
                "behind_a_socket_of_systemd_it_starts_when_asked_and_needs_no_network",
            ],
            "rules for what a proxy says of its clients",
        ),
    ),
    (
        34,
        "submit with a typo, a wrong distribution, packages of others",
        Partly(
            &["a_package_of_another_rollout_or_distribution_is_told_before_anything_is_bound"],
            "`rolloutctl edit` and `cancel`, and a submission that looks for what it names",
        ),
    ),
    (
        35,
        "one state too far, or the wrong rollout to production",
        Partly(
            &["a_rejection_by_mistake_that_waits_is_given_up_and_its_packages_stay"],
            "`rolloutctl restore`, for what was carried out",
        ),
    ),
    (
        36,
        "two managers at once",
        Partly(&["of_several_who_decide_at_once_one_decides_and_the_others_are_told"], "two trackers for one rollout"),
    ),
    (
        37,
        "a rollout waits for a package that never comes",
        Partly(
            &["a_rollout_that_waits_for_a_package_that_never_comes_says_so_and_can_be_given_up"],
            "`rolloutctl list` by age",
        ),
    ),
    (38, "a security fix during a freeze", Later("freezes, and the emergency path through them")),
    (39, "who put this into production, and why", By(&["who_put_a_package_into_production_and_why_is_one_command"])),
    (
        40,
        "a client with last month's metadata; a mirror that stopped",
        By(&["a_client_with_old_metadata_finds_what_was_promised_and_then_a_clear_end"]),
    ),
    (
        41,
        "testing and production enabled at once; `dnf history undo`",
        Later("pages of a release that say what sites do"),
    ),
];

#[test]
fn every_bad_day_is_played_or_says_what_it_waits_for() {
    let numbers: Vec<usize> = ROWS.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (1..=41).collect::<Vec<_>>());
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests: BTreeSet<String> = ["tests/it", "src"].iter().flat_map(|dir| tests_of(&here.join(dir))).collect();
    let mut wrong = Vec::new();
    for (number, what, shown) in ROWS {
        let (by, waits) = match shown {
            By(tests) => (*tests, None),
            Partly(tests, waits) => (*tests, Some(*waits)),
            Later(waits) => (&[][..], Some(*waits)),
        };
        let absent = by.iter().filter(|name| !tests.contains(**name));
        wrong.extend(absent.map(|name| format!("row {number} ({what}): there is no test `{name}`")));
        if by.is_empty() && waits.is_none_or(str::is_empty) {
            wrong.push(format!("row {number} ({what}): nothing plays it"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names of all functions behind `#[test]` in a directory.
fn tests_of(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tests_of(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let after = text.split("#[test]").skip(1);
            let name = |rest: &str| Some(rest.split_once("fn ")?.1.split('(').next()?.to_owned());
            found.extend(after.filter_map(name));
        }
    }
    found
}
