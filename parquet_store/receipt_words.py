"""Texts of receipts, from which those in Parquet files are compressed: each then takes half the space.

Never change them: receipts that were written with them could no longer be read. If receipts have got many other fields,
make other texts, with another number in the marks of ``embedded.py``.
"""

from __future__ import annotations

from typing import Final

WORDS_1: Final = "".join(
    (
        '{"is":"SimulationResult","settings":{"is":"SimulateSettings","cell":{"is":"CellSettings","cell_id":"","n',
        'ominal_capacity_ah":"initial_state":{"is":"InitialState","policy":"rest_voltage","value":}"temperature_c',
        'elsius":null,"measured_capacity":null,"temperature":"mean","capacity_source":"guess","parameter_set_sour',
        'ce":"guess",}"model":{"is":"ModelSettings","name":"SPM","type":"SPM","options":[],"mesh":[],}"parameter_',
        'set":{"is":"ParameterSetSettings","name":"","base":"","overrides":[],"file_digest":"",}"rtol":"atol":"cy',
        'cles":{"is":"CycleSelection","ranges":[],"every":"last":false,}"time_limit_second":"tolerance":"standard',
        '","error_estimate":"auto","outputs":[],}"samples":"knots":"initial_soc":"initial_voltage_volt":"initial_',
        'state_source":"","electrodes_in_parallel":"temperature_celsius":"charge_measured_ah":"charge_model_ah":"',
        'charge_error":"rmse_mv":"bias_mv":"worst_mv":"worst_time_second":"solve_seconds":"attempts":[],"comparis',
        'ons":{"rows_of":"Comparison","cycle_count":[],"samples":[],"rmse_mv":[],"bias_mv":[],"worst_mv":[],"wors',
        't_time_second":[],"rmse_time_weighted_mv":[],"energy_in_measured_wh":[],"energy_in_model_wh":[],"energy_',
        'out_measured_wh":[],"energy_out_model_wh":[],"charge_error":[],"capacity_error_ah":[],"capacity_voltage_',
        'volt":[],}"capacity_ah":"capacity_source":"guess","temperature_source":"","compression_rmse_mv":"compres',
        'sion_worst_mv":"compiled":true,"cycle_states":[],"step_comparisons":{"rows_of":"StepComparison","cycle_c',
        'ount":[],"step_type":[],"window":[],"samples":[],"rmse_mv":[],"bias_mv":[],"worst_mv":[],"worst_time_sec',
        'ond":[],"change_rmse_mv":[],}"beyond_cutoff_second":"charge_source":"samples","charge_throughput_ah":"ch',
        'arge_uncertainty_ah":"numerical_error_rmse_mv":"numerical_error_worst_mv":"temperature_rmse_kelvin":null',
        ',"stretches":[],"state_uncertainty_mv":"state_uncertainty_soc":"fitted_rmse_mv":null,"fit_difference":""',
        ',"charge_uncertainty_mv":}"severity":"info","severity":"error","action":"corrected","action":"left","act',
        'ion":"reported","rule":"charge_uncertain","the file does not say what flowed between some rows; known fr',
        'om samples{"is":"CleanResult","report":{"is":"CleanReport","cell_id":"","rows_in":"rows_kept":"rows_quar',
        'antined":"time_span_before_second":"time_span_after_second":"charge_in_before_ah":"charge_in_after_ah":"',
        'charge_out_before_ah":"charge_out_after_ah":"cycles_before":"cycles_after":"steps_before":"steps_after":',
        '"findings":[{"is":"Finding","rule":"duplicate_row","severity":"warning","rows":"source_index":"source_ro',
        'w":"cycle_count":null,"step_count":null,"before":"equal to an earlier row","after":"-","action":"quarant',
        'ined",}],"energy_in_before_wh":"energy_in_after_wh":"energy_out_before_wh":"energy_out_after_wh":"quaran',
        'tined":[{"is":"QuarantineCount","rule":"duplicate_row","source_index":"rows":}],"flagged":[{"is":"FlagCo',
        'unt","rule":"time_order","samples":}],"charge_changes":[{"is":"ChargeChange","rule":"time_order","charge',
        '_in_ah":"charge_out_ah":}],"rows_inserted":"charge_source":"samples","charge_in_low_ah":"charge_in_high_',
        'ah":"charge_out_low_ah":"charge_out_high_ah":"charge_in_counted_ah":null,"charge_out_counted_ah":null,}"',
        'cycles":[{"is":"CycleSummary","cycle_count":"first_test_time_second":"last_test_time_second":"samples":"',
        'steps":"charge_in_ah":"charge_out_ah":"energy_in_wh":"energy_out_wh":"voltage_min_volt":"voltage_max_vol',
        't":"temperature_mean_celsius":"charge_source":"samples","charge_in_low_ah":"charge_in_high_ah":"charge_o',
        'ut_low_ah":"charge_out_high_ah":"charge_in_counted_ah":null,"charge_out_counted_ah":null,"resistance_ohm',
        '":"resistance_second":"resistance_uncertainty_ohm":"resistance_edges":"resistance_source":"start of disc',
        'harge",}],"temperature_mean_celsius":"sources":[{"is":"RecordSource","file":{"is":"SourceFile","path":""',
        ',"bytes":"digest":"","settings":{"is":"SourceSettings","reader":"csv","columns":[{"is":"ColumnMapping","',
        'target":"unix_time_second","column":"datetime","unit":"",}],"cell_id_from":"column:cell_id","current_sig',
        'n":"auto",}}"splits":[],}],"settings":{"is":"CleanSettings","current_sign":"auto","nominal_capacity_ah":',
        'null,"rest_current_per_ah":0.005,"fill_samples":5,"fill_constant_samples":100,"missing_charge_share":0.0',
        '2,"gap_factor":20.0,"gap_second":600.0,"voltage_limits_volt":[],"temperature_limits_celsius":[],"tempera',
        'ture_setpoint_celsius":null,"temperature_jump_celsius":10.0,"chamber_tolerance_celsius":2.0,"chamber_sec',
        'ond":1800.0,"voltage_step_volt":0.01,"channel_difference_volt":0.005,"capacity_tolerance":0.01,"capacity',
        '_factor":2.0,"charge_tolerance":0.005,"time_scale_tolerance":0.05,"clock_tolerance_second":2.0,"clock_dr',
        'ift":0.0002,"cycle_turns":20,}}',
    )
).encode()
"""Names and usual values of the fields of results; the most frequent ones are last, where they cost least."""
