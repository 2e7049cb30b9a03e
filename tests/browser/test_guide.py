"""The setup guide in a real browser."""

GUIDE = "/panel/integrations/entra/guide"


def test_a_ticked_step_stays_ticked_without_scripts(open_page):
    page = open_page(java_script_enabled=False, viewport={"width": 390, "height": 700})
    page.goto(GUIDE)
    page.get_by_role("checkbox", name="Create the application").click()
    page.wait_for_url("**#connect")
    page.goto("/panel/log")
    page.goto(GUIDE)
    assert page.get_by_text("1 of 8 steps done").count() == 1
    assert page.get_by_role("checkbox", name="Create the application").is_checked()
