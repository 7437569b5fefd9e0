from optbench.core.run import Override, read_params, resolve


def a_run():
    names = {"workload": "digits-cnn", "optimizer": "adam", "schedule": "step", "seed": 3}
    return resolve(read_params(), **names)


def test_settings_and_hyper_parameters_make_the_optimizers_arguments():
    params = read_params()["optimizers"]["adam"]
    assert a_run().optimizer_args == {**params["settings"], **params["digits-cnn"]["step"]}


def test_an_override_changes_what_it_names_and_nothing_else():
    run = a_run()
    changed = Override(lr=0.5, epochs=2).apply(run)
    assert changed.optimizer_args == {**run.optimizer_args, "lr": 0.5}
    assert changed.settings.epochs == 2
    assert changed.settings.batch_size == run.settings.batch_size


def test_null_overrides_change_nothing():
    assert Override().apply(a_run()) == a_run()
