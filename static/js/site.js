/* What a page needs a browser for. Everything works without it; with it, it is quicker. */
document.documentElement.classList.add("js");
