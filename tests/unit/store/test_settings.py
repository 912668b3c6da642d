def test_settings_with_a_dictionary_can_still_name_what_is_kept() -> None:
    one, same = Settings(shipping_days={"USA": (20, 35)}), Settings(shipping_days={"USA": (20, 35)})

    assert hash(one) == hash(same)
