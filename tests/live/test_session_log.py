"""The session's log file holds what was done and no secret."""

import logging

from core.log import forget_secrets, register_secrets
from live.session_log import session_log


def test_actions_stand_in_the_file_and_secrets_do_not(tmp_path):
    register_secrets(["planted-secret-4711"])
    logger = logging.getLogger("live.somewhere")

    with session_log(tmp_path / "session.log"):
        logger.info("submit order=a1 token=planted-secret-4711")
    logger.info("after the session")
    forget_secrets()

    text = (tmp_path / "session.log").read_text()
    assert "submit order=a1" in text
    assert "planted-secret" not in text
    assert "after the session" not in text


def test_a_folder_that_is_gone_disturbs_nothing(tmp_path):
    with session_log(tmp_path / "gone" / "session.log"):
        logging.getLogger("live").info("goes on")
