// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens/token_settings.h"

#include "views/common/icons.h"
#include "views/common/ink.h"
#include "views/common/parameter_editor.h"
#include "views/common/theme.h"

#include <QComboBox>
#include <QPushButton>
#include <QSignalBlocker>
#include <QStandardItemModel>
#include <QVBoxLayout>

#include <algorithm>
#include <utility>

namespace tamis::views {

namespace {
bool sameRanges(const ParameterSchema& a, const ParameterSchema& b)
{
    return std::ranges::equal(a.specs(), b.specs(), [](const ParameterSpec& x, const ParameterSpec& y) { return x.name == y.name && x.minimum == y.minimum && x.maximum == y.maximum; });
}
} // namespace

TokenSettings::TokenSettings(QWidget* parent)
    : QWidget(parent), m_method(new QComboBox(this)), m_reference(mutedLabel(this, QStringLiteral("tokenReference"))), m_wishes(mutedLabel(this, QStringLiteral("tokenWishes"))),
      m_parameters(new ParameterEditor(this)), m_clear(new QPushButton(themedIcon(QStringLiteral("reset")), tr("Forget what was asked by hand"), this)),
      m_train(new QPushButton(themedIcon(QStringLiteral("run")), tr("Train"), this))
{
    setObjectName(QStringLiteral("tokenSettings"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(Theme::kMargin, Theme::kMargin, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing);
    auto* title = new QLabel(tr("&Method"), this);
    m_method->setObjectName(QStringLiteral("tokenMethod"));
    m_method->setAccessibleName(tr("Method"));
    m_method->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    title->setBuddy(m_method);
    m_reference->setWordWrap(true);
    m_reference->setFont(Theme::smallFont(font()));
    m_parameters->setObjectName(QStringLiteral("tokenParameters"));
    m_train->setObjectName(QStringLiteral("trainTokens"));
    auto* byHand = new QLabel(tr("By hand"), this);
    m_wishes->setWordWrap(true);
    m_clear->setObjectName(QStringLiteral("clearWishes"));
    for (QWidget* each : std::initializer_list<QWidget*>{title, m_method, m_reference, m_parameters, m_train})
        column->addWidget(each);
    column->addSpacing(Theme::kSpacing);
    for (QWidget* each : std::initializer_list<QWidget*>{byHand, m_wishes, m_clear})
        column->addWidget(each);
    column->addStretch(1);
    connect(m_method, &QComboBox::activated, this, [this] {
        showMethod();
        emit methodEdited(method());
    });
    connect(m_parameters, &ParameterEditor::valueEdited, this, &TokenSettings::parameterEdited);
    connect(m_train, &QPushButton::clicked, this, &TokenSettings::trainRequested);
    connect(m_clear, &QPushButton::clicked, this, &TokenSettings::clearWishesRequested);
    setWishes(0, 0);
    setTrainReason({});
    showMethod();
}

const TokenMethod* TokenSettings::chosen() const
{
    const auto found = std::ranges::find(m_methods, method(), &TokenMethod::id);
    return found == m_methods.end() ? nullptr : &*found;
}

QString TokenSettings::method() const { return m_method->currentData().toString(); }

void TokenSettings::setMethods(const std::vector<TokenMethod>& methods)
{
    const QString before = method();
    const QSignalBlocker quiet(m_method);
    const bool same = std::ranges::equal(methods, m_methods, {}, &TokenMethod::id, &TokenMethod::id);
    if (const auto* shown = chosen(); shown && same)
        if (const auto now = std::ranges::find(methods, shown->id, &TokenMethod::id); !sameRanges(now->schema, shown->schema))
            m_schemaOf.clear(); // another model has another use for it
    m_methods = methods;
    if (!same) {
        m_method->clear();
        for (const TokenMethod& each : methods)
            m_method->addItem(each.title, each.id);
        m_method->setCurrentIndex(std::max(methods.empty() ? -1 : 0, m_method->findData(before)));
    }
    for (int at = 0; at < m_method->count(); ++at) {
        const auto& each = m_methods[static_cast<std::size_t>(at)];
        m_method->setItemData(at, each.unavailable.isEmpty() ? each.reference : tr("Not now: %1").arg(each.unavailable), Qt::ToolTipRole);
        if (auto* items = qobject_cast<QStandardItemModel*>(m_method->model()))
            items->item(at)->setEnabled(each.unavailable.isEmpty());
    }
    showMethod();
}

void TokenSettings::setChoice(const QString& method, const Parameters& parameters)
{
    const QSignalBlocker quiet(m_method);
    if (const int at = m_method->findData(method); at >= 0)
        m_method->setCurrentIndex(at);
    showMethod();
    if (const auto* of = chosen()) {
        Parameters complete = of->schema.defaults();
        for (const auto& [name, value] : parameters.all())
            complete.set(name, value);
        m_parameters->setValues(complete);
    }
}

void TokenSettings::showMethod()
{
    const auto* of = chosen();
    m_train->setVisible(of && of->trains);
    if (!of)
        return;
    if (std::exchange(m_schemaOf, of->id) != of->id)
        m_parameters->setSchema(of->schema);
    m_reference->setText(of->reference);
    m_method->setToolTip(of->id);
}

void TokenSettings::setWishes(int kept, int dropped)
{
    m_wishes->setText(kept + dropped == 0 ? tr("Click a patch of the reduced photo: once keeps it at every block, twice drops it, the third time leaves it to the method.")
                                          : tr("%1 kept, %2 dropped").arg(kept).arg(dropped));
    m_clear->setEnabled(kept + dropped > 0);
}

void TokenSettings::setTrainReason(const QString& reason)
{
    m_train->setEnabled(reason.isEmpty());
    m_train->setToolTip(reason.isEmpty() ? tr("Trains this method on the photos; what it keeps is shown when it is done") : tr("Not now: %1").arg(reason));
}

} // namespace tamis::views
