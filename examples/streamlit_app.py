"""A small page over the Python package. Needs: pip install streamlit pillow

    streamlit run examples/streamlit_app.py
"""

import io

import streamlit as st

from stable_diffusion import Error, Pipeline

st.set_page_config(page_title="Mezzotint")
st.title("Mezzotint")


@st.cache_resource
def load(model: str) -> Pipeline:
    return Pipeline(model)


model = st.sidebar.text_input("Model", help="A file, a folder, or empty for the model that ships with Mezzotint")
try:
    pipeline = load(model)
except Error as error:
    st.error(str(error))
    st.stop()
info = pipeline.info
steps = st.sidebar.slider("Steps", 1, 100, info["steps"])
guidance = st.sidebar.slider("Guidance", 1.0, 20.0, float(info["guidance"]))
seed = st.sidebar.number_input("Seed", value=-1, min_value=-1)

prompt = st.text_input("Prompt", (info["objects"] or ["a red apple"])[0])
negative = st.text_input("Negative prompt")
start = st.file_uploader("Start from a picture", ["png", "jpg", "jpeg", "webp"])
mask = st.file_uploader("Mask: its white part is repainted", ["png"]) if start else None
strength = st.slider("Strength", 0.1, 1.0, 1.0 if mask else 0.8) if start else None

if st.button("Draw", type="primary"):
    bar = st.progress(0.0)
    given = {"image": start.getvalue(), "strength": strength} if start else {}
    if mask:
        given["mask"] = mask.getvalue()
    try:
        picture = pipeline(
            prompt, negative, steps=steps, guidance=guidance, seed=int(seed),
            progress=lambda p: bar.progress(p.step / p.steps if p.steps else 0.0), **given,
        )  # fmt: skip
    except Error as error:
        st.error(str(error))
        st.stop()
    st.image(picture, caption=f"{prompt} (seed {picture.seed})")
    file = io.BytesIO()
    picture.save(file, format="PNG")
    st.download_button("Download", file.getvalue(), f"{picture.seed}.png", "image/png")
