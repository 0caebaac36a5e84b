"""The server-rendered pages, and the fragments that the pages load later."""
