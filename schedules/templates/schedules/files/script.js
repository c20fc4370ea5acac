  addEventListener("DOMContentLoaded", () => {
    const body = document.querySelector("tbody"), box = document.querySelector("input");
    const rows = [...body.rows].reverse(), texts = rows.map(row => row.textContent.toLowerCase());
    body.append(...rows);
    const show = () => {
      let count = 0;
      rows.forEach((row, place) => { count += !(row.hidden = !texts[place].includes(box.value.trim().toLowerCase())); });
      document.querySelector("[role=status]").textContent = `${count} of ${rows.length} e-mails, the newest first`;
    };
    box.addEventListener("input", show);
    box.parentElement.hidden = false;
    show();
  });
