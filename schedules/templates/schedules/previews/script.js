  const form = document.querySelector("form");
  const articles = [...document.querySelectorAll("article")];
  const names = ["message", "language", "variant"];
  function show() {
    let count = 0;
    for (const article of articles) {
      article.hidden = names.some(name => form[name].value && form[name].value !== article.dataset[name]);
      count += !article.hidden;
    }
    for (const box of form.querySelectorAll("[name=view]"))
      for (const part of document.querySelectorAll(`[data-view=${box.value}]`)) part.hidden = !box.checked;
    document.getElementById("count").textContent = `${count} of ${articles.length} messages`;
  }
  form.addEventListener("change", () => {
    const chosen = new URLSearchParams(names.filter(name => form[name].value).map(name => [name, form[name].value]));
    history.replaceState(null, "", "#" + chosen);
    show();
  });
  for (const [name, value] of new URLSearchParams(location.hash.slice(1)))
    if (names.includes(name)) form[name].value = value;
  show();
