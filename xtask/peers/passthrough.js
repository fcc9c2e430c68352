// The floor: a Worker that sends every request on as it is and its answer back as it is.
export default {
  fetch(request, env) {
    const url = request.url;
    return fetch(env.DEFAULT_ORIGIN + url.slice(url.indexOf('/', 8)), request);
  },
};
