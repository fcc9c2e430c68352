// Fills the page with what the API says.
const show = (id, text) => { const element = document.getElementById(id); if (element) element.textContent = text; };

fetch('/api/slots?date=2026-12-01')
  .then((answer) => answer.json())
  .then(({ slots }) => {
    const list = document.getElementById('slots');
    list?.replaceChildren(...slots.map((slot) => {
      const button = document.createElement('button');
      button.textContent = slot.slice(11);
      button.onclick = () => show('chosen', `${slot.slice(11)} on 1 December – sign in to confirm.`);
      return button;
    }));
  })
  .catch(() => show('chosen', 'The calendar is not reachable right now.'));
