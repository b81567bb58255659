mod after;
mod attempts;
mod host;
mod inspect;
mod schedules;
mod submission;
mod tenants;
mod waiting;

use host::Host;

use crate::engine::Engine;

/// The conformance suite of [`Engine`]: `make` gives a new, empty engine each time.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_engine<E: Engine>(make: impl AsyncFn() -> E) {
    attempts::a_job_succeeds_with_one_terminal_event(Host::new(make().await).await).await;
    attempts::failures_are_retried_and_then_final(Host::new(make().await).await).await;
    attempts::input_errors_are_not_retried(Host::new(make().await).await).await;
    attempts::a_panic_fails_the_job_and_not_the_engine(Host::new(make().await).await).await;
    attempts::queued_and_running_jobs_can_be_cancelled(Host::new(make().await).await).await;
    attempts::work_that_does_not_listen_is_dropped(Host::new(make().await).await).await;
    attempts::progress_only_grows(Host::new(make().await).await).await;
    submission::an_idempotency_key_stands_for_one_job(Host::new(make().await).await).await;
    submission::a_key_is_bound_to_what_was_asked_for(Host::new(make().await).await).await;
    submission::a_key_is_free_after_a_failure(Host::new(make().await).await).await;
    submission::a_batch_ends_with_its_last_job(Host::new(make().await).await).await;
    submission::an_ended_job_can_be_replayed(Host::new(make().await).await).await;
    attempts::policies_decide_on_failed_steps(Host::new(make().await).await).await;
    attempts::a_failed_publication_is_repeated(Host::new(make().await).await).await;
    attempts::what_a_failed_job_has_published_is_told(Host::new(make().await).await).await;
    attempts::deadlines_end_jobs(Host::new(make().await).await).await;
    submission::urgent_jobs_go_first(Host::new(make().await).await).await;
    submission::a_job_waits_for_its_moment(Host::new(make().await).await).await;
    submission::a_pause_holds_jobs_back(Host::new(make().await).await).await;
    attempts::a_job_of_many_outputs_is_one_job(Host::new(make().await).await).await;
    attempts::deliveries_are_repeated_with_the_same_id(Host::new(make().await).await).await;
    attempts::lost_deliveries_are_told_elsewhere(Host::new(make().await).await).await;
    submission::a_shutdown_hands_back_what_runs(Host::new(make().await).await).await;
    waiting::a_waiting_job_holds_no_place(Host::new(make().await).await).await;
    waiting::an_update_counts_once(Host::new(make().await).await).await;
    waiting::an_update_that_comes_early_is_kept(Host::new(make().await).await).await;
    waiting::a_cancelled_job_stops_the_work_elsewhere(Host::new(make().await).await).await;
    waiting::a_wait_ends_with_its_time(Host::new(make().await).await).await;
    waiting::a_vendor_that_does_not_call_is_asked(Host::new(make().await).await).await;
    waiting::groups_wait_by_themselves(Host::new(make().await).await).await;
    waiting::what_can_not_be_read_is_dropped(Host::new(make().await).await).await;
    waiting::policies_decide_on_what_fails_elsewhere(Host::new(make().await).await).await;
    waiting::a_failure_here_begins_nothing_twice_there(Host::new(make().await).await).await;
    waiting::progress_grows_while_a_job_waits(Host::new(make().await).await).await;
    tenants::keys_are_a_tenants_own(tenants::sharing(make().await).await).await;
    tenants::a_tenant_has_its_share(tenants::sharing(make().await).await).await;
    tenants::the_most_urgent_of_a_tenant_is_next(tenants::sharing(make().await).await).await;
    tenants::what_waits_elsewhere_takes_no_share(tenants::sharing(make().await).await).await;
    after::a_job_comes_after_others(tenants::sharing(make().await).await).await;
    after::a_failure_is_passed_on(tenants::sharing(make().await).await).await;
    after::what_waits_for_others_can_be_cancelled(tenants::sharing(make().await).await).await;
    after::what_can_not_be_read_is_said(tenants::sharing(make().await).await).await;
    schedules::a_schedule_runs_by_the_clock(Host::new(make().await).await).await;
    inspect::jobs_are_listed_by_what_is_known_of_them(Host::new(make().await).await).await;
    inspect::a_cursor_stays_valid_while_jobs_come(Host::new(make().await).await).await;
    inspect::what_is_asked_wrongly_is_refused(Host::new(make().await).await).await;
    inspect::events_are_followed_without_gap_or_double(Host::new(make().await).await).await;
    inspect::one_job_is_looked_into(Host::new(make().await).await).await;
    inspect::messages_are_listed(Host::new(make().await).await).await;
    submission::a_batch_has_a_limit(Host::new(make().await).await).await;
    submission::unknown_names_are_errors(Host::new(make().await).await).await;
}
