/* The layout of every struct on 64-bit targets is part of the ABI: sizes, offsets, no padding. */
#include "check.h"
#include <demask.h>

#define SIZE(type, bytes) CHECK(sizeof(type) == (bytes))
#define AT(type, field, offset) CHECK(offsetof(type, field) == (offset))

int main(void) {
  CHECK(sizeof(void *) == 8 && sizeof(size_t) == 8);

  SIZE(demask_status, 4);
  SIZE(demask_options, 28);
  AT(demask_options, struct_size, 0);
  AT(demask_options, level, 4);
  AT(demask_options, threads, 8);
  AT(demask_options, max_positions, 12);
  AT(demask_options, max_segments, 16);
  AT(demask_options, max_policies, 20);
  AT(demask_options, max_vocab, 24);

  SIZE(demask_draw_rule, 32);
  AT(demask_draw_rule, struct_size, 0);
  AT(demask_draw_rule, temperature, 4);
  AT(demask_draw_rule, top_k, 8);
  AT(demask_draw_rule, top_p, 12);
  AT(demask_draw_rule, min_p, 16);
  AT(demask_draw_rule, filter_order, 20);
  AT(demask_draw_rule, method, 24);
  AT(demask_draw_rule, nucleus_edge, 28);

  SIZE(demask_policy, 392);
  AT(demask_policy, struct_size, 0);
  AT(demask_policy, select, 4);
  AT(demask_policy, update, 8);
  AT(demask_policy, noise, 12);
  AT(demask_policy, sizes, 16);
  AT(demask_policy, finish, 20);
  AT(demask_policy, steps, 24);
  AT(demask_policy, temperature, 28);
  AT(demask_policy, top_k, 32);
  AT(demask_policy, top_p, 36);
  AT(demask_policy, min_p, 40);
  AT(demask_policy, filter_order, 44);
  AT(demask_policy, method, 48);
  AT(demask_policy, reserved, 52);
  AT(demask_policy, start, 56);
  AT(demask_policy, end, 64);
  AT(demask_policy, noise_parameter, 72);
  AT(demask_policy, noise_sigma_max, 80);
  AT(demask_policy, noise_table, 88);
  AT(demask_policy, noise_reserved, 96);
  AT(demask_policy, transition, 104);
  AT(demask_policy, grid, 108);
  AT(demask_policy, extrapolate, 112);
  AT(demask_policy, reserved_2, 116);
  AT(demask_policy, theta, 120);
  AT(demask_policy, grid_fraction, 128);
  AT(demask_policy, grid_times, 136);
  AT(demask_policy, grid_reserved, 144);
  AT(demask_policy, sizes_table, 152);
  AT(demask_policy, sizes_reserved, 160);
  AT(demask_policy, sizes_parameter, 168);
  AT(demask_policy, score, 176);
  AT(demask_policy, score_temperature, 180);
  AT(demask_policy, score_gumbel, 184);
  AT(demask_policy, score_gumbel_falls, 192);
  AT(demask_policy, n_last_tokens, 196);
  AT(demask_policy, last_tokens, 200);
  AT(demask_policy, last_reserved, 208);
  AT(demask_policy, threshold, 216);
  AT(demask_policy, threshold_2, 224);
  AT(demask_policy, strict, 232);
  AT(demask_policy, fallback, 236);
  AT(demask_policy, most, 240);
  AT(demask_policy, radius, 244);
  AT(demask_policy, remask, 248);
  AT(demask_policy, remask_by_confidence, 252);
  AT(demask_policy, remask_eta, 256);
  AT(demask_policy, remask_from, 264);
  AT(demask_policy, remask_until, 272);
  AT(demask_policy, end_tokens, 280);
  AT(demask_policy, end_reserved, 288);
  AT(demask_policy, n_end_tokens, 296);
  AT(demask_policy, fill_token, 300);
  AT(demask_policy, score_priors, 304);
  AT(demask_policy, reserved_3, 308);
  AT(demask_policy, most_share, 312);
  AT(demask_policy, share_least, 320);
  AT(demask_policy, stable_steps, 324);
  AT(demask_policy, update_threshold, 328);
  AT(demask_policy, doubt_of, 336);
  AT(demask_policy, reserved_4, 340);
  AT(demask_policy, extra_steps, 344);
  AT(demask_policy, noise_tokens, 348);
  AT(demask_policy, settle_steps, 352);
  AT(demask_policy, cooling, 356);
  AT(demask_policy, settle_entropy, 360);
  AT(demask_policy, sizes_least, 368);
  AT(demask_policy, sizes_most, 372);
  AT(demask_policy, within_size, 376);
  AT(demask_policy, nucleus_edge, 380);
  AT(demask_policy, score_filtered, 384);
  AT(demask_policy, reserved_5, 388);

  SIZE(demask_noise, 40);
  AT(demask_noise, struct_size, 0);
  AT(demask_noise, schedule, 4);
  AT(demask_noise, parameter, 8);
  AT(demask_noise, sigma_max, 16);
  AT(demask_noise, table, 24);
  AT(demask_noise, reserved, 32);

  SIZE(demask_segment, 80);
  AT(demask_segment, begin, 0);
  AT(demask_segment, end, 4);
  AT(demask_segment, seed, 8);
  AT(demask_segment, stream, 16);
  AT(demask_segment, step, 24);
  AT(demask_segment, policy, 28);
  AT(demask_segment, origin, 32);
  AT(demask_segment, initial_masks, 36);
  AT(demask_segment, log_masked, 40);
  AT(demask_segment, output_log_masked, 48);
  AT(demask_segment, revealed, 56);
  AT(demask_segment, settled, 60);
  AT(demask_segment, extra_steps, 64);
  AT(demask_segment, reserved, 68);
  AT(demask_segment, mean_entropy, 72);

  SIZE(demask_canvas, 104);
  AT(demask_canvas, struct_size, 0);
  AT(demask_canvas, mask_token, 4);
  AT(demask_canvas, tokens, 8);
  AT(demask_canvas, kinds, 16);
  AT(demask_canvas, n_positions, 24);
  AT(demask_canvas, segments, 32);
  AT(demask_canvas, n_segments, 40);
  AT(demask_canvas, policies, 48);
  AT(demask_canvas, n_policies, 56);
  AT(demask_canvas, segment_size, 64);
  AT(demask_canvas, policy_size, 68);
  AT(demask_canvas, states, 72);
  AT(demask_canvas, constraints, 80);
  AT(demask_canvas, prior_multiply, 88);
  AT(demask_canvas, prior_add, 96);

  SIZE(demask_position_state, 16);
  AT(demask_position_state, step, 0);
  AT(demask_position_state, probability, 4);
  AT(demask_position_state, stable, 8);
  AT(demask_position_state, argmax, 12);

  SIZE(demask_plan_buffers, 128);
  AT(demask_plan_buffers, struct_size, 0);
  AT(demask_plan_buffers, reserved, 4);
  AT(demask_plan_buffers, rows, 8);
  AT(demask_plan_buffers, rows_capacity, 16);
  AT(demask_plan_buffers, offsets, 24);
  AT(demask_plan_buffers, steps, 32);
  AT(demask_plan_buffers, log_masked, 40);
  AT(demask_plan_buffers, times, 48);
  AT(demask_plan_buffers, segments_capacity, 56);
  AT(demask_plan_buffers, n_segments, 64);
  AT(demask_plan_buffers, n_rows, 72);
  AT(demask_plan_buffers, n_active, 80);
  AT(demask_plan_buffers, reads_earlier, 88);
  AT(demask_plan_buffers, n_earlier, 96);
  AT(demask_plan_buffers, remasked, 104);
  AT(demask_plan_buffers, remasked_capacity, 112);
  AT(demask_plan_buffers, n_remasked, 120);

  SIZE(demask_row_record, 96);
  AT(demask_row_record, token, 0);
  AT(demask_row_record, state, 4);
  AT(demask_row_record, statistics, 8);

  SIZE(demask_race_result, 24);
  AT(demask_race_result, score, 0);
  AT(demask_race_result, score_rest, 8);
  AT(demask_race_result, token, 16);
  AT(demask_race_result, state, 20);

  SIZE(demask_shard_token, 8);
  AT(demask_shard_token, token, 0);
  AT(demask_shard_token, logit, 4);

  SIZE(demask_logits, 88);
  AT(demask_logits, struct_size, 0);
  AT(demask_logits, dtype, 4);
  AT(demask_logits, data, 8);
  AT(demask_logits, n_rows, 16);
  AT(demask_logits, vocab, 24);
  AT(demask_logits, row_stride, 32);
  AT(demask_logits, row_index, 40);
  AT(demask_logits, data_rows, 48);
  AT(demask_logits, guide, 56);
  AT(demask_logits, guidance_scale, 64);
  AT(demask_logits, reserved, 68);
  AT(demask_logits, earlier, 72);
  AT(demask_logits, reserved_2, 80);

  SIZE(demask_step_out, 80);
  AT(demask_step_out, struct_size, 0);
  AT(demask_step_out, reserved, 4);
  AT(demask_step_out, tokens, 8);
  AT(demask_step_out, row_state, 16);
  AT(demask_step_out, n_active, 24);
  AT(demask_step_out, n_revealed, 32);
  AT(demask_step_out, n_bad_rows, 40);
  AT(demask_step_out, n_remasked, 48);
  AT(demask_step_out, n_filled, 56);
  AT(demask_step_out, n_edited, 64);
  AT(demask_step_out, n_renoised, 72);

  SIZE(demask_token_bias, 8);
  AT(demask_token_bias, token, 0);
  AT(demask_token_bias, bias, 4);

  SIZE(demask_constraints, 80);
  AT(demask_constraints, struct_size, 0);
  AT(demask_constraints, excluded, 4);
  AT(demask_constraints, banned, 8);
  AT(demask_constraints, n_banned, 16);
  AT(demask_constraints, bias, 24);
  AT(demask_constraints, n_bias, 32);
  AT(demask_constraints, allowed, 40);
  AT(demask_constraints, allowed_stride, 48);
  AT(demask_constraints, row_bias_offsets, 56);
  AT(demask_constraints, row_bias, 64);
  AT(demask_constraints, n_row_bias, 72);

  SIZE(demask_row_statistics, 88);
  AT(demask_row_statistics, log_sum_exp, 0);
  AT(demask_row_statistics, entropy, 8);
  AT(demask_row_statistics, probability, 16);
  AT(demask_row_statistics, log_probability, 24);
  AT(demask_row_statistics, log_others, 32);
  AT(demask_row_statistics, margin, 40);
  AT(demask_row_statistics, argmax_log_others, 48);
  AT(demask_row_statistics, log_margin_gap, 56);
  AT(demask_row_statistics, given_log_probability, 64);
  AT(demask_row_statistics, divergence, 72);
  AT(demask_row_statistics, max, 80);
  AT(demask_row_statistics, argmax, 84);

  SIZE(demask_top_token, 8);
  AT(demask_top_token, token, 0);
  AT(demask_top_token, logit, 4);

  SIZE(demask_statistics, 56);
  AT(demask_statistics, struct_size, 0);
  AT(demask_statistics, temperature, 4);
  AT(demask_statistics, given, 8);
  AT(demask_statistics, against, 16);
  AT(demask_statistics, rows, 24);
  AT(demask_statistics, top, 32);
  AT(demask_statistics, n_top, 40);
  AT(demask_statistics, filtered, 48);
  AT(demask_statistics, reserved, 52);

  SIZE(demask_key, 24);
  AT(demask_key, seed, 0);
  AT(demask_key, stream, 8);
  AT(demask_key, step, 16);
  AT(demask_key, position, 20);
  return checks_end("layout");
}
