"""The administrator's web panel: server-rendered pages under /panel."""
